#include <algorithm>
#include <map>

#include "dimse/file/part10_reader.h"
#include "test/router/delivery/delivery_fixture.h"
#include "test/support/storescp.h"

namespace dr::delivery {
namespace {

using test::data_set_of;
using test::Storescp;
using test::TempDir;

std::filesystem::path path_in(const std::filesystem::path& root, const journal::ObjectRecord& r) {
  return root / r.study_instance_uid.str() / r.series_instance_uid.str() /
         (r.sop_instance_uid.str() + ".dcm");
}

TEST_F(DeliveryTest, ObjectsArriveByteForByteAtAPeerAndInAFolder) {
  Storescp peer;
  TempDir archive;
  start({dimse("peer", peer.port()), folder("archive", archive.path())});
  std::vector<Object> objects;
  for (const std::string_view syntax : {test::kImplicitLe, test::kExplicitLe}) {
    for (const std::size_t size : {0U, 1000U, 600'000U}) {
      test::ObjectSpec spec;
      spec.transfer_syntax = syntax;
      spec.pixel_octets = size;
      objects.push_back(an_object({"peer", "archive"}, spec));
      append(objects.back());
    }
  }
  for (const char* destination : {"peer", "archive"}) {
    for (const auto& outcome : observer_.wait_for_outcomes(destination, objects.size())) {
      EXPECT_EQ(outcome.state, DeliveryState::kDelivered) << outcome.outcome;
    }
  }
  std::vector<Bytes> at_peer;
  for (const auto& file : peer.files()) at_peer.push_back(data_set_of(file));
  ASSERT_EQ(at_peer.size(), objects.size());
  for (const Object& object : objects) {
    EXPECT_EQ(data_set_of(path_in(archive.path(), object.record)), object.data);
    EXPECT_NE(std::find(at_peer.begin(), at_peer.end(), object.data), at_peer.end());
  }
}

}  // namespace
}  // namespace dr::delivery
