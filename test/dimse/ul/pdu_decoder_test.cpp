#include <gtest/gtest.h>

#include "dimse/ul/pdu.h"
#include "test/dimse/ul/dump.h"

namespace dr::ul {
namespace {

PresentationContextId context_id(int id) {
  return PresentationContextId{static_cast<std::uint8_t>(id)};
}

/// Octets 7-74 of an A-ASSOCIATE PDU and then `items`.
Bytes associate_body(const Bytes& items) {
  Bytes body = dump("0001 0000 'CALLED          CALLING         '");
  body.resize(68);
  body.insert(body.end(), items.begin(), items.end());
  return body;
}

Bytes item(std::uint8_t type, const Bytes& content) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(type);
  writer.zeros(1);
  writer.be(static_cast<std::uint16_t>(content.size()));
  writer.put(content);
  return out;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes repeated(const Bytes& part, std::size_t times) {
  Bytes out;
  for (std::size_t i = 0; i < times; ++i) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Errc rq_error(const Bytes& items) {
  const auto pdu = decode_associate_rq(associate_body(items));
  EXPECT_FALSE(pdu);
  return pdu ? Errc::kConflict : pdu.error().code;
}

TEST(PduHeader, IsTypeReservedOctetAndBigEndianLength) {
  const Bytes octets = dump("04 ff 01020304");
  const PduHeader header = decode_pdu_header(octets.data());
  EXPECT_EQ(header.type, 0x04);
  EXPECT_EQ(header.length, 0x01020304U);
}

TEST(AssociateRq, DecodesEveryField) {
  const Bytes octets = associate_rq_dump();
  ASSERT_EQ(decode_pdu_header(octets.data()).length, octets.size() - 6);
  const auto pdu = decode_associate_rq(body_of(octets));
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  EXPECT_EQ(pdu->protocol_version, 1);
  EXPECT_EQ(pdu->called_ae_title, "ROUTER");
  EXPECT_EQ(pdu->calling_ae_title, "MODALITY_1");
  EXPECT_EQ(pdu->application_context, kApplicationContext);
  ASSERT_EQ(pdu->contexts.size(), 1U);
  EXPECT_EQ(pdu->contexts[0].id, context_id(1));
  EXPECT_EQ(pdu->contexts[0].abstract_syntax, "1.2.840.10008.1.1");
  ASSERT_EQ(pdu->contexts[0].transfer_syntaxes.size(), 1U);
  EXPECT_EQ(pdu->contexts[0].transfer_syntaxes[0], "1.2.840.10008.1.2");
}

TEST(AssociateRq, DecodesEveryUserInformationSubItem) {
  const auto pdu = decode_associate_rq(body_of(associate_rq_dump()));
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  const UserInformation& user = pdu->user;
  EXPECT_EQ(user.max_pdu_length, 16384U);
  EXPECT_EQ(user.implementation_class_uid, "1.2.276.0.7230010.3.0.3.6.7");
  EXPECT_EQ(user.implementation_version_name, "OFFIS_DCMTK_367");
  ASSERT_TRUE(user.async_operations);
  EXPECT_EQ(user.async_operations->invoked, 5);
  EXPECT_EQ(user.async_operations->performed, 1);
  ASSERT_EQ(user.roles.size(), 1U);
  EXPECT_EQ(user.roles[0].sop_class_uid, "1.2.840.10008.1.1");
  EXPECT_FALSE(user.roles[0].scu);
  EXPECT_TRUE(user.roles[0].scp);
  ASSERT_EQ(user.extended.size(), 1U);
  EXPECT_EQ(user.extended[0].sop_class_uid, "1.2.840.10008.1.1");
  EXPECT_EQ(user.extended[0].information, dump("010203"));
  ASSERT_TRUE(user.user_identity);
  EXPECT_EQ(user.user_identity->type, 2);
  EXPECT_TRUE(user.user_identity->positive_response_requested);
  EXPECT_EQ(user.user_identity->primary, dump("'user'"));
  EXPECT_EQ(user.user_identity->secondary, dump("'pass'"));
}

TEST(AssociateRq, DoesNotTestReservedOctets) {
  Bytes octets = associate_rq_dump();
  octets[1] = std::byte{0xee};                                        // header
  for (std::size_t i = 8; i < 10; ++i) octets[i] = std::byte{0xee};   // octets 9-10
  for (std::size_t i = 42; i < 74; ++i) octets[i] = std::byte{0xee};  // octets 43-74
  octets[75] = std::byte{0xee};                                       // of the first item
  for (std::size_t i : {104, 105, 106}) octets[i] = std::byte{0xee};  // of the context
  const auto pdu = decode_associate_rq(body_of(octets));
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  EXPECT_EQ(encode(*pdu), encode(*decode_associate_rq(body_of(associate_rq_dump()))));
}

TEST(AssociateRq, TrimsPaddingOfUidsAndTitles) {
  Bytes body = dump("0001 0000 20 'PADDED' 000000000000000000 'CALLING         '");
  body.resize(68);
  body = body + dump(
                    "10 00 0016 '1.2.840.10008.3.1.1.1' 00"
                    "20 00 0015 05 00 00 00 30 00 0004 '1.2' 00 40 00 0005 '1.3' 2000"
                    "50 00 0009 52 00 0005 '1.4 ' 00");
  const auto pdu = decode_associate_rq(body);
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  EXPECT_EQ(pdu->called_ae_title, "PADDED");
  EXPECT_EQ(pdu->application_context, kApplicationContext);
  EXPECT_EQ(pdu->contexts.at(0).abstract_syntax, "1.2");
  EXPECT_EQ(pdu->contexts.at(0).transfer_syntaxes.at(0), "1.3");
  EXPECT_EQ(pdu->user.implementation_class_uid, "1.4");
}

TEST(AssociateRq, KeepsIllegalUidsOut) {
  const auto pdu = decode_associate_rq(associate_body(
      dump("20 00 001b 01 00 00 00 30 00 0004 '../a' 40 00 0003 '1.3' 40 00 0004 '1..3'")));
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  ASSERT_EQ(pdu->contexts.size(), 1U);
  EXPECT_TRUE(pdu->contexts[0].abstract_syntax.empty());
  EXPECT_EQ(pdu->contexts[0].transfer_syntaxes, std::vector<Uid>{uid_literal("1.3")});
}

TEST(AssociateRq, LeavesMissingItemsEmptyForTheReceiverToJudge) {
  const auto pdu = decode_associate_rq(associate_body({}));
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  EXPECT_TRUE(pdu->application_context.empty());
  EXPECT_TRUE(pdu->contexts.empty());
  EXPECT_EQ(pdu->user.max_pdu_length, 0U);
}

TEST(AssociateRq, StepsOverUnknownItemsAndSubItems) {
  const auto pdu = decode_associate_rq(associate_body(
      dump("77 00 0003 'abc'"                           // unknown item
           "21 00 0001 01"                              // belongs into an A-ASSOCIATE-AC
           "20 00 000d 01 00 00 00 31 00 0005 '1.2.3'"  // unknown sub-item of a context
           "50 00 001b"                                 //
           "5f 00 0002 ffff"                            // unknown sub-item
           "57 00 0003 000000"                          // common extended negotiation
           "59 00 0002 0000"                            // belongs into an A-ASSOCIATE-AC
           "51 00 0004 00000100")));                    // maximum length
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  EXPECT_EQ(pdu->contexts.size(), 1U);
  EXPECT_EQ(pdu->user.max_pdu_length, 256U);
  EXPECT_FALSE(pdu->user.user_identity);
}

TEST(AssociateRq, RefusesEvenAndRepeatedContextIds) {
  const Bytes one = dump("20 00 0004 01 00 00 00");
  EXPECT_EQ(rq_error(dump("20 00 0004 02 00 00 00")), Errc::kMalformed);
  EXPECT_EQ(rq_error(dump("20 00 0004 00 00 00 00")), Errc::kMalformed);
  EXPECT_EQ(rq_error(one + one), Errc::kMalformed);
}

TEST(AssociateRq, RefusesItemsThatShouldComeOnce) {
  EXPECT_EQ(rq_error(repeated(dump("10 00 0003 '1.2'"), 2)), Errc::kMalformed);
  EXPECT_EQ(rq_error(repeated(dump("50 00 0000"), 2)), Errc::kMalformed);
  EXPECT_EQ(rq_error(dump("20 00 0012 01 00 00 00 30 00 0003 '1.2' 30 00 0003 '1.3'")),
            Errc::kMalformed);
}

TEST(AssociateRq, RefusesSubItemsShorterThanTheirFields) {
  for (const char* sub : {"51 00 0003 000001", "53 00 0003 000001", "54 00 0006 0003 '1.2' 01",
                          "54 00 0001 00", "56 00 0004 0003 '1.'", "58 00 0001 02",
                          "58 00 0006 01 00 0003 '12'", "58 00 0005 01 00 0000 00"}) {
    EXPECT_EQ(rq_error(item(0x50, dump(sub))), Errc::kMalformed) << sub;
  }
  EXPECT_EQ(rq_error(dump("20 00 0003 01 00 00")), Errc::kMalformed);
}

TEST(AssociateRq, RefusesItemsLongerThanWhatEnclosesThem) {
  EXPECT_EQ(rq_error(dump("10 00 ffff '1.2'")), Errc::kMalformed);
  EXPECT_EQ(rq_error(dump("10 00 00")), Errc::kMalformed);
  EXPECT_EQ(rq_error(dump("20 00 000b 01 00 00 00 30 00 0004 '1.2' 50 00 0000")), Errc::kMalformed);
  EXPECT_EQ(rq_error(dump("50 00 0007 52 00 0004 '1.2' 77 00 0000")), Errc::kMalformed);
}

TEST(AssociateRq, NamesTheOctetOfTheErrorAsTheStandardCounts) {
  const auto pdu = decode_associate_rq(associate_body(dump("10 00 ffff '1.2'")));
  ASSERT_FALSE(pdu);
  EXPECT_EQ(pdu.error().detail, "item longer than what encloses it octet=75");
}

TEST(AssociateRq, ClipsTheVersionNameAt16) {
  const auto pdu =
      decode_associate_rq(associate_body(dump("50 00 0018 55 00 0014 'ABCDEFGHIJKLMNOPQRST'")));
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  EXPECT_EQ(pdu->user.implementation_version_name, "ABCDEFGHIJKLMNOP");
}

TEST(AssociateRq, TakesAsManyAsTheCeilingsSay) {
  Bytes items;
  for (int id = 1; id < 256; id += 2) {
    Bytes context(4);
    context[0] = static_cast<std::byte>(id);
    items = items + item(0x20, context + repeated(dump("40 00 0003 '1.2'"), kMaxTransferSyntaxes));
  }
  items = items + item(0x50, repeated(dump("7f 00 0000"), kMaxUserInfoSubItems));
  const auto pdu = decode_associate_rq(associate_body(items));
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  EXPECT_EQ(pdu->contexts.size(), kMaxPresentationContexts);
  EXPECT_EQ(pdu->contexts.back().transfer_syntaxes.size(), kMaxTransferSyntaxes);
}

TEST(AssociateRq, RefusesCountsAboveTheCeilings) {
  const Bytes syntaxes = repeated(dump("40 00 0000"), kMaxTransferSyntaxes + 1);  // legal or not
  EXPECT_EQ(rq_error(item(0x20, dump("01 00 00 00") + syntaxes)), Errc::kTooLong);
  EXPECT_EQ(rq_error(item(0x50, repeated(dump("7f 00 0000"), kMaxUserInfoSubItems + 1))),
            Errc::kTooLong);
}

TEST(AssociateRq, RefusesLengthAboveCeilingBeforeReading) {
  const Bytes body(kMaxAssociatePduLength + 1);
  const auto pdu = decode_associate_rq(body);
  ASSERT_FALSE(pdu);
  EXPECT_EQ(pdu.error().code, Errc::kTooLong);
  EXPECT_EQ(pdu.error().detail, "A-ASSOCIATE PDU length=262145 limit=262144");
}

TEST(AssociateAc, DecodesEveryField) {
  const Bytes octets = associate_ac_dump();
  ASSERT_EQ(decode_pdu_header(octets.data()).length, octets.size() - 6);
  const auto pdu = decode_associate_ac(body_of(octets));
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  EXPECT_EQ(pdu->application_context, kApplicationContext);
  ASSERT_EQ(pdu->contexts.size(), 2U);
  EXPECT_EQ(pdu->contexts[0].id, context_id(1));
  EXPECT_EQ(pdu->contexts[0].result, ContextResult::kAcceptance);
  EXPECT_EQ(pdu->contexts[0].transfer_syntax, "1.2.840.10008.1.2");
  EXPECT_EQ(pdu->contexts[1].id, context_id(3));
  EXPECT_EQ(pdu->contexts[1].result, ContextResult::kAbstractSyntaxNotSupported);
  EXPECT_EQ(pdu->user.max_pdu_length, 131072U);
}

TEST(AssociateAc, TakesRefusedContextsWithoutUsableSyntax) {
  const auto pdu =
      decode_associate_ac(associate_body(dump("21 00 0004 01 00 01 00"             // no syntax
                                              "21 00 0008 03 00 02 00 40 00 0000"  // an empty one
                                              "21 00 000a 05 00 04 00 40 00 0002 'no'")));  // none
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  ASSERT_EQ(pdu->contexts.size(), 3U);
  EXPECT_EQ(pdu->contexts[0].result, ContextResult::kUserRejection);
  EXPECT_EQ(pdu->contexts[1].result, ContextResult::kNoReason);
  EXPECT_EQ(pdu->contexts[2].result, ContextResult::kTransferSyntaxesNotSupported);
}

TEST(AssociateAc, TakesAcceptanceWithoutSyntaxAndUnknownResultsAsRefusals) {
  const auto pdu = decode_associate_ac(
      associate_body(dump("21 00 0004 01 00 00 00"                       // accepted, with nothing
                          "21 00 000b 03 00 05 00 40 00 0003 '1.2'")));  // result 5
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  EXPECT_EQ(pdu->contexts.at(0).result, ContextResult::kTransferSyntaxesNotSupported);
  EXPECT_EQ(pdu->contexts.at(1).result, ContextResult::kNoReason);
}

TEST(AssociateAc, RefusesEvenAndRepeatedContextIds) {
  EXPECT_FALSE(decode_associate_ac(associate_body(dump("21 00 0004 02 00 01 00"))));
  EXPECT_FALSE(decode_associate_ac(associate_body(repeated(dump("21 00 0004 01 00 01 00"), 2))));
}

TEST(AssociateAc, ReadsTheServersResponse) {
  const auto pdu = decode_associate_ac(
      associate_body(dump("50 00 0014 59 00 0006 0004 'tick' 58 00 0006 02 00 0000 0000")));
  ASSERT_TRUE(pdu) << pdu.error().to_string();
  ASSERT_TRUE(pdu->user.user_identity);
  EXPECT_EQ(pdu->user.user_identity->primary, dump("'tick'"));
}

TEST(AssociateRj, DecodesItsFields) {
  const auto pdu = decode_associate_rj(dump("00 01 01 07"));
  ASSERT_TRUE(pdu);
  EXPECT_EQ(pdu->result, 1);
  EXPECT_EQ(pdu->source, 1);
  EXPECT_EQ(pdu->reason, 7);
}

TEST(AssociateRj, OnlyResult1IsPermanent) {
  for (int result = 0; result < 256; ++result) {
    const Bytes body{std::byte{0}, static_cast<std::byte>(result), std::byte{9}, std::byte{9}};
    const auto pdu = decode_associate_rj(body);
    ASSERT_TRUE(pdu) << result;
    EXPECT_EQ(pdu->result, result == 1 ? 1 : 2) << result;
  }
}

TEST(Abort, DecodesItsFieldsWhateverTheReservedOctets) {
  const auto pdu = decode_abort(dump("ff ff 02 06"));
  ASSERT_TRUE(pdu);
  EXPECT_EQ(pdu->source, 2);
  EXPECT_EQ(pdu->reason, 6);
}

TEST(FourOctetPdus, RefuseEveryOtherLength) {
  for (const std::size_t n : {0, 1, 3, 5, 1000}) {
    EXPECT_FALSE(decode_associate_rj(Bytes(n))) << n;
    EXPECT_FALSE(decode_abort(Bytes(n))) << n;
  }
}

TEST(PData, DecodesEveryPdvAsAViewIntoThePdu) {
  const Bytes octets = p_data_dump();
  ASSERT_EQ(decode_pdu_header(octets.data()).length, octets.size() - 6);
  const auto pdvs = decode_p_data(body_of(octets));
  ASSERT_TRUE(pdvs) << pdvs.error().to_string();
  ASSERT_EQ(pdvs->size(), 2U);
  EXPECT_EQ((*pdvs)[0].id, context_id(1));
  EXPECT_TRUE((*pdvs)[0].command);
  EXPECT_FALSE((*pdvs)[0].last);
  EXPECT_EQ(as_text((*pdvs)[0].data), "abcd");
  EXPECT_EQ((*pdvs)[0].data.data(), octets.data() + 12);
  EXPECT_FALSE((*pdvs)[1].command);
  EXPECT_TRUE((*pdvs)[1].last);
  EXPECT_EQ(as_text((*pdvs)[1].data), "efg");
}

TEST(PData, DoesNotTestTheUpperBitsOfTheControlHeader) {
  const auto pdvs = decode_p_data(dump("00000003 01 fd 61"));
  ASSERT_TRUE(pdvs);
  EXPECT_TRUE(pdvs->at(0).command);
  EXPECT_FALSE(pdvs->at(0).last);
}

TEST(PData, TakesAnEmptyFragment) {
  const auto pdvs = decode_p_data(dump("00000002 01 02"));
  ASSERT_TRUE(pdvs);
  EXPECT_TRUE(pdvs->at(0).data.empty());
  EXPECT_TRUE(pdvs->at(0).last);
}

TEST(PData, RefusesNoPdvShortPdvsAndLongOnes) {
  for (const char* body : {"", "000000", "00000000", "00000001 01", "00000003 01 02",
                           "ffffffff 01 02 61", "80000000 01 02 61", "00000002 01 02 00"}) {
    const auto pdvs = decode_p_data(dump(body));
    ASSERT_FALSE(pdvs) << body;
    EXPECT_EQ(pdvs.error().code, Errc::kMalformed) << body;
  }
}

}  // namespace
}  // namespace dr::ul
