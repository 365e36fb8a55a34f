#include "dimse/message/command_set.h"

#include <gtest/gtest.h>

#include "test/support/messages.h"
#include "test/support/scripted_peer.h"

namespace dr::message {
namespace {

using test::hex;
using test::to_hex;

TEST(CommandSet, EncodesACEchoRequestAsTheStandardPrintsIt) {
  // PS3.7 table 9.3-12: group length 56, class, field 0030H, message ID 1, no data set.
  EXPECT_EQ(to_hex(encode_command(test::an_echo_request(1))),
            to_hex(hex("0000 0000 04000000 38000000"
                       "0000 0200 12000000 312e322e3834302e31303030382e312e3100"
                       "0000 0001 02000000 3000"
                       "0000 1001 02000000 0100"
                       "0000 0008 02000000 0101")));
}

TEST(CommandSet, DecodesWhatItEncodes) {
  CommandSet command = test::a_store_request(513, "1.2.840.99");
  command.status = std::uint16_t{0xa700};
  command.error_comment = "out of space";
  const auto decoded = decode_command(encode_command(command));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->command_field, Command::kCStoreRq);
  EXPECT_EQ(decoded->message_id, 513);
  EXPECT_EQ(decoded->affected_sop_class_uid->view(), test::kCtImageStorage);
  EXPECT_EQ(decoded->affected_sop_instance_uid->view(), "1.2.840.99");
  EXPECT_EQ(decoded->status, 0xa700);
  EXPECT_EQ(decoded->error_comment, "out of space");
  EXPECT_TRUE(decoded->has_data_set());
  EXPECT_FALSE(decoded->mistyped);
}

TEST(CommandSet, CutsAnErrorCommentAt64Characters) {
  CommandSet command;
  command.error_comment = std::string(100, 'x');
  EXPECT_EQ(decode_command(encode_command(command))->error_comment, std::string(64, 'x'));
}

TEST(CommandSet, NamesAnIllegalUidByAnEmptyOne) {
  const auto decoded = decode_command(hex("0000 0010 04000000 2e2e2f61"));  // "../a"
  ASSERT_TRUE(decoded);
  ASSERT_TRUE(decoded->affected_sop_instance_uid);
  EXPECT_TRUE(decoded->affected_sop_instance_uid->empty());
}

TEST(CommandSet, NamesTheFirstElementWhoseLengthIsNotThatOfItsVr) {
  const auto decoded = decode_command(hex("0000 1001 04000000 01000000 0000 0007 01000000 00"));
  ASSERT_TRUE(decoded);
  EXPECT_FALSE(decoded->message_id);
  ASSERT_TRUE(decoded->mistyped);
  EXPECT_EQ(*decoded->mistyped, (encoding::Tag{0x0000, 0x0110}));
}

TEST(CommandSet, StepsOverElementsThatItDoesNotKnow) {
  const auto decoded = decode_command(hex("0000 3333 03000000 010203 0000 3433 00000000"));
  EXPECT_TRUE(decoded);
}

TEST(CommandSet, RefusesALengthBeyondTheEnd) {
  const auto decoded = decode_command(hex("0000 1001 ffffffff 0100"));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::kMalformed);
}

TEST(CommandSet, RefusesElementsOutOfOrderTwiceOrOfAnotherGroup) {
  EXPECT_FALSE(decode_command(hex("0000 0008 02000000 0101 0000 1001 02000000 0100")));
  EXPECT_FALSE(decode_command(hex("0000 1001 02000000 0100 0000 1001 02000000 0100")));
  EXPECT_FALSE(decode_command(hex("0800 1600 02000000 3100")));
  EXPECT_FALSE(decode_command(hex("0000 1001 0200")));
}

}  // namespace
}  // namespace dr::message
