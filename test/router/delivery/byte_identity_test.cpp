#include <algorithm>
#include <set>

#include "dimse/file/part10_reader.h"
#include "dimse/service/sop_classes.h"
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
    for (const auto& outcome : observer_->wait_for_outcomes(destination, objects.size())) {
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

TEST_F(DeliveryTest, ALargeObjectArrivesByteForByteAndHoldsOneBlock) {
  test::MemoryNode peer;
  TempDir archive;
  auto settings = dimse("peer", peer.port());
  settings.associations = 1;
  test::ObjectSpec spec;
  spec.pixel_octets = 9'000'000;
  const Object object = an_object({"peer", "archive"}, spec);
  peer.handler.hold = true;
  start({settings, folder("archive", archive.path())});
  append_large(object);
  peer.handler.wait_for_held(1);
  EXPECT_EQ(observer_->wait_for_outcomes("archive", 1)[0].state, DeliveryState::kDelivered);
  EXPECT_EQ(blocks_.octets_in_use(), BlockPool::kBlockSize);
  peer.handler.release();
  EXPECT_EQ(observer_->wait_for_outcomes("peer", 1)[0].octets, object.data.size());
  EXPECT_EQ(peer.handler.wait_for_objects(1)[0].data, object.data);
  EXPECT_EQ(data_set_of(path_in(archive.path(), object.record)), object.data);
}

TEST_F(DeliveryTest, DeliversWhenTheMemoryBudgetIsUsedUp) {
  test::MemoryNode peer;
  const Object object = an_object({"peer"});
  const Sequence sequence = append(object);
  std::vector<std::byte*> taken;
  while (std::byte* block = blocks_.try_take()) taken.push_back(block);
  start({dimse("peer", peer.port())});
  EXPECT_EQ(observer_->wait_for_outcomes("peer", 1)[0].instance, sequence);
  EXPECT_EQ(peer.handler.wait_for_objects(1)[0].data, object.data);
  for (std::byte* block : taken) blocks_.give_back(block);
}

/// Every object file of the shared data, as its data set with what its head says.
std::vector<std::pair<file::Part10Header, Bytes>> shared_objects() {
  std::vector<std::pair<file::Part10Header, Bytes>> found;
  const auto root = test::shared_data("real objects through both kinds of destination");
  if (!root) return found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*root / "objects")) {
    if (!entry.is_regular_file()) continue;
    auto reader = file::Part10Reader::open(entry.path().string());
    // Of those that no conforming sender can send.
    if (!reader || !service::is_storage(reader->header().sop_class_uid)) continue;
    Bytes data(reader->data_set_length());
    if (!reader->read(0, data)) continue;
    found.emplace_back(reader->header(), std::move(data));
  }
  return found;
}

TEST_F(DeliveryTest, RealObjectsOfEveryTransferSyntaxArriveByteForByte) {
  test::MemoryNode peer;
  TempDir archive;
  auto settings = dimse("peer", peer.port());
  settings.associations = 1;
  start({settings, folder("archive", archive.path())});
  std::vector<Object> objects;
  std::set<std::string> syntaxes;
  for (auto& [header, data] : shared_objects()) {
    // Some share their UIDs: each gets a series of its own.
    Object object = an_object({"peer", "archive"});
    object.data = std::move(data);
    object.record.sop_class_uid = header.sop_class_uid;
    object.record.sop_instance_uid = header.sop_instance_uid;
    object.record.transfer_syntax_uid = header.transfer_syntax_uid;
    syntaxes.insert(header.transfer_syntax_uid.str());
    append(object);
    objects.push_back(std::move(object));
  }
  for (const char* destination : {"peer", "archive"}) {
    for (const auto& outcome : observer_->wait_for_outcomes(destination, objects.size())) {
      EXPECT_EQ(outcome.state, DeliveryState::kDelivered) << outcome.outcome << outcome.reason;
    }
  }
  std::multiset<std::string> sent;
  std::multiset<std::string> received;
  for (const Object& object : objects) {
    EXPECT_EQ(data_set_of(path_in(archive.path(), object.record)), object.data);
    std::string on_the_wire(as_text(object.data));
    // A deflated data set has an even length there (PS3.5 A.5).
    const bool deflated = object.record.transfer_syntax_uid == "1.2.840.10008.1.2.1.99";
    if (deflated && on_the_wire.size() % 2 != 0) on_the_wire.push_back('\0');
    sent.insert(std::move(on_the_wire));
  }
  for (const auto& object : peer.handler.wait_for_objects(objects.size())) {
    received.insert(std::string(as_text(object.data)));
  }
  EXPECT_TRUE(sent == received);
  RecordProperty("transfer_syntaxes", static_cast<int>(syntaxes.size()));
}

}  // namespace
}  // namespace dr::delivery
