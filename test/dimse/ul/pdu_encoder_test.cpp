#include <stdexcept>

#include <gtest/gtest.h>

#include "dimse/ul/pdu.h"
#include "test/dimse/ul/dump.h"

namespace dr::ul {
namespace {

PresentationContextId context_id(int id) {
  return PresentationContextId{static_cast<std::uint8_t>(id)};
}

TEST(PduEncoder, WritesAssociateRqAsTheStandard) {
  AAssociateRq pdu;
  pdu.called_ae_title = "ROUTER";
  pdu.calling_ae_title = "  MODALITY_1";
  pdu.application_context = kApplicationContext;
  pdu.contexts.push_back(
      {context_id(1), uid_literal("1.2.840.10008.1.1"), {uid_literal("1.2.840.10008.1.2")}});
  pdu.user.max_pdu_length = 16384;
  pdu.user.implementation_class_uid = "1.2.276.0.7230010.3.0.3.6.7";
  pdu.user.implementation_version_name = "OFFIS_DCMTK_367";
  pdu.user.async_operations = {.invoked = 5, .performed = 1};
  pdu.user.roles.push_back({uid_literal("1.2.840.10008.1.1"), false, true});
  pdu.user.extended.push_back({uid_literal("1.2.840.10008.1.1"), dump("010203")});
  pdu.user.user_identity = UserIdentity{2, true, dump("'user'"), dump("'pass'")};
  EXPECT_EQ(encode(pdu), associate_rq_dump());
}

TEST(PduEncoder, WritesAssociateAcAsTheStandardAndASyntaxIntoRefusedContexts) {
  AAssociateAc pdu;
  pdu.called_ae_title = "ROUTER";
  pdu.calling_ae_title = "MODALITY_1";
  pdu.application_context = kApplicationContext;
  pdu.contexts.push_back(
      {context_id(1), ContextResult::kAcceptance, uid_literal("1.2.840.10008.1.2")});
  pdu.contexts.push_back({context_id(3), ContextResult::kAbstractSyntaxNotSupported, {}});
  pdu.user.max_pdu_length = 131072;
  pdu.user.implementation_class_uid = "1.2.276.0.7230010.3.0.3.6.7";
  pdu.user.implementation_version_name = "OFFIS_DCMTK_367";
  EXPECT_EQ(encode(pdu), associate_ac_dump());
}

TEST(PduEncoder, WritesTheServersResponseIntoAnAcceptance) {
  AAssociateAc pdu;
  pdu.user.user_identity = UserIdentity{0, false, dump("'tick'"), {}};
  const Bytes octets = encode(pdu);
  EXPECT_EQ(Bytes(octets.end() - 10, octets.end()), dump("59 00 0006 0004 'tick'"));
}

TEST(PduEncoder, WritesTheFourOctetPdus) {
  EXPECT_EQ(encode(AAssociateRj{.result = 2, .source = 3, .reason = 2}),
            dump("03 00 00000004 00 02 03 02"));
  EXPECT_EQ(encode(AReleaseRq{}), dump("05 00 00000004 00000000"));
  EXPECT_EQ(encode(AReleaseRp{}), dump("06 00 00000004 00000000"));
  EXPECT_EQ(encode(AAbort{.source = 2, .reason = 6}), dump("07 00 00000004 0000 02 06"));
}

TEST(PduEncoder, WritesPDataHeaders) {
  const auto octets = [](auto header) { return Bytes(header.begin(), header.end()); };
  EXPECT_EQ(octets(p_data_header(context_id(1), true, false, 4)),
            dump("04 00 0000000a 00000006 01 01"));
  EXPECT_EQ(octets(p_data_header(context_id(255), false, true, 0x01020304)),
            dump("04 00 0102030a 01020306 ff 02"));
  EXPECT_EQ(octets(p_data_header(context_id(3), true, true, 0)),
            dump("04 00 00000006 00000002 03 03"));
}

TEST(PduEncoder, ClipsTitlesAt16) {
  AAssociateRq pdu;
  pdu.called_ae_title = "ABCDEFGHIJKLMNOPQRST";
  const auto back = decode_associate_rq(body_of(encode(pdu)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->called_ae_title, "ABCDEFGHIJKLMNOP");
}

TEST(PduEncoder, ThrowsWhenAnItemOutgrowsItsLength) {
  AAssociateRq pdu;
  pdu.user.user_identity = UserIdentity{2, false, Bytes(65'536), {}};
  EXPECT_THROW(encode(pdu), std::length_error);
  pdu.user.user_identity->primary.resize(65'535);
  EXPECT_THROW(encode(pdu), std::length_error);
}

}  // namespace
}  // namespace dr::ul
