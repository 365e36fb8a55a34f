// What no conforming modality sends gets its answer, and costs nothing that was received before.
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "dimse/service/storage_scu.h"
#include "test/e2e/objects.h"
#include "test/support/memory_node.h"
#include "test/support/router.h"
#include "test/support/scripted_peer.h"
#include "test/support/scu_client.h"

namespace dr::test {
namespace {

using service::ProposedContext;
using service::StorageScu;

/// A file as a sender might put it on the wire that does not look into it: what its head says, or,
/// where it has none, all of it as a CT image.
struct Rubbish {
  ProposedContext context{*Uid::parse(kCtImageStorage), *Uid::parse(kExplicitLe)};
  Uid sop_instance_uid = *Uid::parse(new_uid());
  Bytes octets;
};

Rubbish rubbish(const std::filesystem::path& path) {
  Rubbish r;
  const auto reader = file::Part10Reader::open(path.string());
  if (!reader) {
    r.octets = read_octets(path);
    return r;
  }
  const auto& head = reader->header();
  r.context = {head.sop_class_uid, head.transfer_syntax_uid};
  r.sop_instance_uid = head.sop_instance_uid;
  r.octets = sent_data_set(path);
  return r;
}

/// Where there are no shared ones: objects that were cut, changed or never were any.
void make_bad_objects(const std::filesystem::path& folder) {
  const auto write = [&](const std::string& name, Bytes octets, std::size_t keep) {
    octets.resize(std::min(keep, octets.size()));
    std::ofstream(folder / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(octets.data()),
               static_cast<std::streamsize>(octets.size()));
  };
  const Bytes whole = make_part10({});
  for (const std::size_t keep : {0, 100, 132, 200, 350, 420, 500, 600}) {
    write("cut-" + std::to_string(keep), whole, keep);
  }
  write("text", Bytes(5'000, std::byte{'x'}), 5'000);
  write("zeros", Bytes(5'000), 5'000);
}

class BadInput : public testing::Test {
 protected:
  BadInput()
      : router_({.destinations = folder_destination("archive", "../archive"),
                 .rules = route_all({"archive"})}),
        io_(1) {}

  asio::io_context& context() { return *io_.contexts().front(); }

  /// The answer to one C-STORE on an association of its own; nothing when there was none.
  std::optional<std::uint16_t> store(const Rubbish& r) {
    const service::Peer peer{.host = "127.0.0.1",
                             .port = router_.port(),
                             .called_ae_title = *AeTitle::parse("ROUTER"),
                             .calling_ae_title = *AeTitle::parse("RUBBISH")};
    return wait_for(context(), talk(context().get_executor(), peer, r));
  }
  static asio::awaitable<std::optional<std::uint16_t>> talk(asio::any_io_executor executor,
                                                            service::Peer peer, const Rubbish& r) {
    auto scu = co_await StorageScu::associate(executor, peer, std::vector(1, r.context));
    if (!scu) co_return std::nullopt;
    PiecewiseSource source({r.octets});
    const auto outcome = co_await (*scu)->store(r.context, r.sop_instance_uid, source);
    if (outcome.error) co_return std::nullopt;
    co_await (*scu)->release();
    co_return outcome.status;
  }

  /// A good object is taken and arrives: the node is as it was.
  void expect_in_good_health() {
    TempDir folder;
    const auto file = write_part10({}, folder / "good.dcm");
    EXPECT_EQ(Modality(router_.port()).send({file}).at("sent"), 1);
    router_.wait_until_idle();
    const auto uid = file::Part10Reader::open(file.string())->header().sop_instance_uid.str();
    EXPECT_TRUE(holds(stored(router_.folder() / "archive"), uid, data_set(file)));
    EXPECT_TRUE(router_.process().running());
  }

  Router router_;
  IoThreads io_;
};

TEST_F(BadInput, EveryObjectGetsAnAnswerAndWhatIsAcknowledgedIsKeptAsItCame) {
  TempDir own;
  const auto shared = shared_data("broken objects found in the field; own ones are sent instead");
  if (!shared) make_bad_objects(own.path());
  std::map<std::uint16_t, int> answers;
  std::vector<std::pair<std::string, Bytes>> acknowledged;
  std::set<std::tuple<std::string, std::string, Bytes>> distinct;  // the same twice is one file
  for (const auto& path : files_below(shared ? *shared / "bad" : own.path())) {
    SCOPED_TRACE(path.string());
    const Rubbish r = rubbish(path);
    const auto status = store(r);
    ASSERT_TRUE(status) << "no answer\n" << router_.log();
    ++answers[*status];
    if (*status == 0) {
      acknowledged.emplace_back(r.sop_instance_uid.str(), r.octets);
      distinct.emplace(r.sop_instance_uid.str(), r.context.transfer_syntax.str(), r.octets);
    } else {
      EXPECT_TRUE(*status == 0xa900 || *status == 0xc000) << std::hex << *status;
    }
  }
  router_.wait_until_idle();
  const auto archive = stored(router_.folder() / "archive");
  EXPECT_EQ(archive.size(), distinct.size());
  for (const auto& [uid, octets] : acknowledged) EXPECT_TRUE(holds(archive, uid, octets)) << uid;
  for (const auto& [status, count] : answers) {
    std::cout << std::hex << status << std::dec << "H: " << count << '\n';
  }
  EXPECT_GT(answers[0xc000] + answers[0xa900], 5);
  expect_in_good_health();
}

TEST_F(BadInput, ADataSetOfAnotherObjectIsRefused) {
  Rubbish r;
  r.octets = make_data_set({});  // has a UID of its own
  EXPECT_EQ(store(r), 0xa900);
  expect_in_good_health();
}

// At each state of an association; the full table stands in the tests of the service.
TEST_F(BadInput, GarbageInAnyStateEndsOnlyItsOwnAssociation) {
  ul::AAssociateRq rq;
  rq.called_ae_title = "ROUTER";
  rq.calling_ae_title = "GARBAGE";
  rq.application_context = ul::kApplicationContext;
  rq.contexts = {
      {ul::PresentationContextId{1}, *Uid::parse(kCtImageStorage), {*Uid::parse(kExplicitLe)}}};
  rq.user.max_pdu_length = 16384;
  rq.user.implementation_class_uid = "1.2.3";
  const std::vector<Bytes> garbage{
      hex("ff 00 00000004 00000000"),                 // no PDU type
      hex("04 00 ffffffff 00000000"),                 // 4 GiB of P-DATA-TF
      hex("04 00 00000000"),                          // without a PDV
      hex("04 00 00000006 00000002 07 02"),           // a context that was never negotiated
      hex("04 00 0000000a 00000006 01 03 00000000"),  // no command set
      hex("02 00 00000004 00000000"),                 // A-ASSOCIATE-AC
      hex("01 00 00000004 00000000"),                 // an A-ASSOCIATE-RQ that is none
      hex("06 00 00000004 00000000"),                 // an A-RELEASE-RP that nobody asked for
      Bytes(3'000, std::byte{'G'}),                   // HTTP, or whatever
  };
  for (const Bytes& octets : garbage) {
    SCOPED_TRACE(to_hex(ByteSpan(octets).first(std::min<std::size_t>(octets.size(), 16))));
    {
      ScriptedPeer peer(router_.port());  // before any association
      peer.send(octets);
      peer.close();
    }
    ScriptedPeer peer(router_.port());
    ASSERT_TRUE(peer.associate(rq));
    peer.send(octets);
    const Bytes answer = peer.receive_pdu();
    ASSERT_FALSE(answer.empty());
    EXPECT_EQ(answer[0], std::byte{0x07}) << "A-ABORT";
    {
      ScriptedPeer half(router_.port());  // gone in the middle of a message
      ASSERT_TRUE(half.associate(rq));
      half.send(p_data(1, true, false, octets));
      half.close();
    }
  }
  expect_in_good_health();
}

TEST_F(BadInput, RecordedRubbishFromTheNetworkDoesNoHarm) {
  const auto shared = shared_data("recorded PDUs");
  const auto folder = shared ? *shared / "bad/network-pdu" : std::filesystem::path("none");
  for (const auto& path : files_below(folder)) {
    ScriptedPeer peer(router_.port());
    peer.send(read_octets(path));
    peer.close();
  }
  expect_in_good_health();
}

}  // namespace
}  // namespace dr::test
