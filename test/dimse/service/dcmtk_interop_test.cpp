// Against Debian's DCMTK on both sides: its SCUs with our listener, our SCU with its SCP.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "dimse/service/storage_scu.h"
#include "test/support/memory_node.h"
#include "test/support/messages.h"
#include "test/support/process.h"
#include "test/support/scripted_peer.h"
#include "test/support/scu_client.h"
#include "test/support/storescp.h"
#include "test/support/temp_dir.h"

namespace dr::service {
namespace {

using namespace std::chrono_literals;
using test::MemoryNode;
using test::wait_for;
using test::operator+;

void put(Bytes& out, std::uint16_t group, std::uint16_t element, std::string_view vr,
         ByteSpan value) {
  ByteWriter writer(out);
  const std::size_t padding = value.size() % 2;
  writer.le(group);
  writer.le(element);
  writer.text(vr);
  if (vr == "OB" || vr == "OW") {
    writer.zeros(2);
    writer.le(static_cast<std::uint32_t>(value.size() + padding));
  } else {
    writer.le(static_cast<std::uint16_t>(value.size() + padding));
  }
  writer.put(value);
  if (padding != 0) writer.u8(vr == "UI" ? 0 : ' ');
}

// A secondary capture with as many octets of pixels, explicit VR little endian.
Bytes a_data_set(std::string_view instance, std::size_t pixels) {
  Bytes data;
  put(data, 0x0008, 0x0016, "UI", as_bytes(test::kCtImageStorage));
  put(data, 0x0008, 0x0018, "UI", as_bytes(instance));
  put(data, 0x0010, 0x0010, "PN", as_bytes("Test^Object"));
  put(data, 0x0020, 0x000d, "UI", as_bytes("1.2.3"));
  put(data, 0x7fe0, 0x0010, "OW", test::some_data(pixels));
  return data;
}

std::string write_file(const test::TempDir& folder, std::string_view instance, const Bytes& data) {
  Bytes meta;
  put(meta, 0x0002, 0x0001, "OB", test::hex("0001"));
  put(meta, 0x0002, 0x0002, "UI", as_bytes(test::kCtImageStorage));
  put(meta, 0x0002, 0x0003, "UI", as_bytes(instance));
  put(meta, 0x0002, 0x0010, "UI", as_bytes(test::kExplicitLittleEndian));
  put(meta, 0x0002, 0x0012, "UI", as_bytes("1.2.3"));
  Bytes file(128);
  ByteWriter writer(file);
  writer.text("DICM");
  Bytes length(4);
  store_le(length.data(), static_cast<std::uint32_t>(meta.size()));
  put(file, 0x0002, 0x0000, "UL", length);
  writer.put(meta);
  writer.put(data);
  std::string path = (folder / (std::string(instance) + ".dcm")).string();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  return path;
}

class Dcmtk : public testing::Test {
 protected:
  /// Runs one of DCMTK's programs to its end. They wait for acknowledgements unless told not to.
  static test::Finished run(std::vector<std::string> argv) {
    return test::run(std::move(argv), {"TCP_NODELAY=1"});
  }

  test::TempDir folder_;
};

TEST_F(Dcmtk, EchoscuIsAnswered) {
  MemoryNode node;
  const auto ended = run({"echoscu", "-aec", "ROUTER", "127.0.0.1", std::to_string(node.port())});
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_EQ(node.handler.wait_for_ended(1)[0].summary.outcome, "released");
}

TEST_F(Dcmtk, StorescuDeliversOctetForOctetWithPdusOfAnySize) {
  for (const std::uint32_t max_pdu : {4096U, 16384U, 131072U}) {
    ListenerConfig config;
    config.max_pdu = max_pdu;
    MemoryNode node(config);
    const Bytes small = a_data_set("1.2.3.1", 100);
    const Bytes large = a_data_set("1.2.3.2", 3'000'000);
    const auto ended =
        run({"storescu", "-xe", "127.0.0.1", std::to_string(node.port()),
             write_file(folder_, "1.2.3.1", small), write_file(folder_, "1.2.3.2", large)});
    EXPECT_EQ(ended.status, 0) << ended.output;
    const auto objects = node.handler.wait_for_objects(2);
    EXPECT_TRUE(objects[0].data == small);
    EXPECT_TRUE(objects[1].data == large);
    EXPECT_EQ(objects[0].request.transfer_syntax_uid, test::kExplicitLittleEndian);
    EXPECT_EQ(objects[1].request.affected_sop_instance_uid, "1.2.3.2");
  }
}

TEST_F(Dcmtk, StorescuHearsARefusal) {
  MemoryNode node;
  node.handler.on_finish([](const test::MemoryHandler::Object&) {
    return StoreResponse{.status = 0xa700, .error_comment = "full"};
  });
  EXPECT_NE(run({"storescu", "-xe", "127.0.0.1", std::to_string(node.port()),
                 write_file(folder_, "1.2.3.1", a_data_set("1.2.3.1", 100))})
                .status,
            0);
  EXPECT_EQ(node.handler.statuses(), std::vector<std::uint16_t>{0xa700});
}

TEST_F(Dcmtk, FindscuIsRefusedItsContext) {
  MemoryNode node;
  EXPECT_NE(
      run({"findscu", "-P", "-k", "PatientName=", "127.0.0.1", std::to_string(node.port())}).status,
      0);
  node.handler.wait_for_ended(1);
}

TEST_F(Dcmtk, StorescpGetsWhatOurScuSendsOctetForOctet) {
  test::Storescp storescp;

  test::IoThreads io(1);
  asio::io_context& context = *io.contexts().front();
  const ProposedContext ct{uid_literal(test::kCtImageStorage),
                           uid_literal(test::kExplicitLittleEndian)};
  Peer peer{.host = "localhost",
            .port = storescp.port(),
            .called_ae_title = *AeTitle::parse("STORESCP"),
            .calling_ae_title = *AeTitle::parse("ROUTER")};
  const auto scu = wait_for(context, StorageScu::associate(context.get_executor(), peer, {ct}));
  ASSERT_TRUE(scu) << scu.error().to_string();

  const Bytes data = a_data_set("1.2.3.4", 1'000'000);
  test::PiecewiseSource source({data});
  const StoreOutcome outcome = wait_for(context, (*scu)->store(ct, uid_literal("1.2.3.4"), source));
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.status, 0);
  wait_for(context, [](StorageScu* s) -> asio::awaitable<bool> {
    co_await s->release();
    co_return true;
  }(scu->get()));

  ASSERT_EQ(storescp.files().size(), 1U);
  const std::string file = test::read_text(storescp.files().front());
  ASSERT_GE(file.size(), data.size());
  EXPECT_TRUE(std::string_view(file).substr(file.size() - data.size()) == as_text(data));
}

}  // namespace
}  // namespace dr::service
