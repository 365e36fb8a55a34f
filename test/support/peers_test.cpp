#include <fstream>

#include <gtest/gtest.h>

#include "test/support/dicom_objects.h"
#include "test/support/orthanc.h"
#include "test/support/port.h"
#include "test/support/storescp.h"

namespace dr::test {
namespace {

Finished store(std::uint16_t port, const std::filesystem::path& file) {
  return run({"storescu", "-aec", "ANY", "127.0.0.1", std::to_string(port), file},
             {"TCP_NODELAY=1"});
}

TEST(Storescp, KeepsTheDataSetAsItCameAndComesBackOnItsPort) {
  const TempDir folder;
  const ObjectSpec spec;
  const auto file = write_part10(spec, folder / "a.dcm");
  Storescp scp;
  EXPECT_EQ(store(scp.port(), file).status, 0);
  ASSERT_EQ(scp.files().size(), 1U);
  EXPECT_EQ(data_set_of(scp.files().front()), make_data_set(spec));

  scp.stop();
  EXPECT_FALSE(is_listening(scp.port()));
  EXPECT_NE(store(scp.port(), file).status, 0);
  scp.start();
  EXPECT_EQ(store(scp.port(), write_part10({}, folder / "b.dcm")).status, 0);
  EXPECT_EQ(scp.files().size(), 2U);
}

TEST(Orthanc, StoresFindsAndReturnsAnInstance) {
  const TempDir folder;
  const ObjectSpec spec;
  Orthanc orthanc(R"("StableAge": 1)");
  EXPECT_EQ(orthanc.find(spec.sop_instance_uid), std::nullopt);
  const auto sent = store(orthanc.dicom_port(), write_part10(spec, folder / "a.dcm"));
  EXPECT_EQ(sent.status, 0) << sent.output;

  const auto id = orthanc.find(spec.sop_instance_uid);
  ASSERT_TRUE(id);
  EXPECT_EQ(orthanc.instances(), std::vector<std::string>{*id});
  const Bytes file = orthanc.instance_file(*id);
  std::ofstream(folder / "back.dcm", std::ios::binary) << as_text(file);
  EXPECT_EQ(data_set_of(folder / "back.dcm"), make_data_set(spec));
  EXPECT_EQ(orthanc.get("/no/such/thing"), std::nullopt);

  orthanc.stop();
  EXPECT_FALSE(is_listening(orthanc.http_port()));
  orthanc.start();
  EXPECT_EQ(orthanc.find(spec.sop_instance_uid), id);
}

}  // namespace
}  // namespace dr::test
