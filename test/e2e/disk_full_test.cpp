// The disk of the spool is full to its last octet: nothing is accepted, everything that was is
// delivered, and with space comes acceptance, by itself.
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "test/e2e/asking.h"
#include "test/e2e/objects.h"
#include "test/support/storescp.h"

namespace dr::test {
namespace {

using namespace std::chrono_literals;

/// A small disk, on which the folders of tests are until leave().
class SmallDisk {
 public:
  SmallDisk() {
    if (::mount("none", folder_.path().c_str(), "tmpfs", 0, "size=700m") != 0) return;
    mounted_ = true;
    ::setenv("TMPDIR", folder_.path().c_str(), 1);
  }
  ~SmallDisk() {
    leave();
    if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  static void leave() { ::unsetenv("TMPDIR"); }
  /// Takes all space that is left.
  void fill() const {
    std::ofstream file(filler(), std::ios::binary);
    const std::string zeros(4096, '\0');
    while (file.write(zeros.data(), static_cast<std::streamsize>(zeros.size())).flush()) continue;
    EXPECT_EQ(std::filesystem::space(folder_.path()).available, 0U);
  }
  void make_room() const { std::filesystem::remove(filler()); }

 private:
  std::filesystem::path filler() const { return folder_ / "filler"; }

  TempDir folder_;
  bool mounted_ = false;
};

TEST(DiskFull, NothingIsAcceptedAllIsDeliveredAndSpaceEndsIt) {
  Storescp peer;
  TempDir own;
  const SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "a small disk needs the right to mount one";
  peer.stop();
  Router router(
      {.destinations = dimse_destination("peer", peer.port()), .rules = route_all({"peer"})});
  SmallDisk::leave();
  const Modality modality(router.port());
  std::set<std::string> acknowledged;
  std::string refused;
  for (int i = 0; i < 900 && refused.empty(); ++i) {
    const auto file = write_part10({.pixel_octets = 2'000'000}, own / "one.dcm");
    const auto answer = modality.send({file}).at("files").at(0);
    if (answer.at("ok")) {
      acknowledged.insert(file::Part10Reader::open(file.string())->header().sop_instance_uid.str());
    } else {
      refused = answer.at("answer");
    }
  }
  EXPECT_GT(acknowledged.size(), 100U);
  // The object that met the limit, or the association that came after it.
  EXPECT_TRUE(refused.find("A700") != std::string::npos || refused == "rejected: 2/3/1") << refused;
  disk.fill();
  EXPECT_FALSE(modality.send({write_part10({}, own / "two.dcm")}).at("files").at(0).at("ok"));
  // Result 2, source 3, reason 1 (PS3.8 9.3.4): try again later.
  const auto echo = run({"echoscu", "-v", "127.0.0.1", std::to_string(router.port())});
  EXPECT_NE(echo.output.find("Rejected Transient, Source: Service Provider (Presentation Related)"),
            std::string::npos)
      << echo.output;
  EXPECT_NE(echo.output.find("Temporary Congestion"), std::string::npos) << echo.output;

  peer.start();
  router.wait_until_idle();
  EXPECT_EQ(stored(peer.folder()).size(), acknowledged.size());
  EXPECT_EQ(metric(router, "dicom_router_journal_fenced"), "0");

  disk.make_room();
  EXPECT_TRUE(soon([&] { return modality.send({own / "two.dcm"}).at("sent") == 1; }, 5s));
  router.wait_until_idle();
  const auto all = stored(peer.folder());
  EXPECT_EQ(all.size(), acknowledged.size() + 1);
  for (const auto& uid : acknowledged) EXPECT_EQ(all.count(uid), 1U);

  // The marks of these deliveries were written while there was no space at all.
  for (const auto& file : peer.files()) std::filesystem::remove(file);
  ASSERT_EQ(router.stop(), 0);
  router.start();
  router.wait_until_idle();
  EXPECT_EQ(peer.files().size(), 0U);
}

}  // namespace
}  // namespace dr::test
