#include <algorithm>
#include <bitset>
#include <utility>

#include "dimse/ul/pdu.h"

namespace dr::ul {
namespace {

// Item and sub-item types (PS3.8 9.3.2 to 9.3.3 and D.1, PS3.7 D.3.3).
enum : std::uint8_t {
  kApplicationContextItem = 0x10,
  kPresentationContextRqItem = 0x20,
  kPresentationContextAcItem = 0x21,
  kAbstractSyntaxItem = 0x30,
  kTransferSyntaxItem = 0x40,
  kUserInformationItem = 0x50,
  kMaximumLengthItem = 0x51,
  kImplementationClassUidItem = 0x52,
  kAsyncOperationsItem = 0x53,
  kRoleSelectionItem = 0x54,
  kImplementationVersionItem = 0x55,
  kSopClassExtendedItem = 0x56,
  kUserIdentityRqItem = 0x58,
  kUserIdentityAcItem = 0x59,
};

constexpr std::size_t kMaxVersionName = 16;  // PS3.7 D.3.3.2.3

struct Item {
  std::uint8_t type;
  const std::byte* at;
  ByteReader body;
};

/// What is common to all decoders: where the PDU begins, so that an error can name its octet as the
/// standard counts them (the first of the header is 1), and the first error.
class Decoder {
 public:
  explicit Decoder(ByteSpan body) noexcept : origin_(body.data()) {}

  bool failed() const noexcept { return error_.has_value(); }
  Error error() && { return *std::move(error_); }

  void fail(Errc code, std::string_view what, const std::byte* at) {
    if (error_) return;
    const auto octet = static_cast<std::size_t>(at - origin_) + kPduHeaderLength + 1;
    error_ = Error{code, std::string(what) + " octet=" + std::to_string(octet)};
  }
  /// Fails when `reader` ran out.
  void check(const ByteReader& reader, std::string_view what) {
    if (reader.failed()) fail(Errc::kMalformed, what, reader.rest().data());
  }

  /// The next item of `in`: octet 1 type, 2 reserved (not tested), 3-4 length, then as many octets.
  /// None at the end and after a failure.
  std::optional<Item> next(ByteReader& in) {
    if (error_ || in.remaining() == 0) return std::nullopt;
    const std::byte* at = in.rest().data();
    const std::uint8_t type = in.u8();
    in.skip(1);
    const ByteSpan octets = in.take(in.be<std::uint16_t>());
    if (in.failed()) {
      fail(Errc::kMalformed, "item longer than what encloses it", at);
      return std::nullopt;
    }
    return Item{type, at, ByteReader(octets)};
  }

 private:
  const std::byte* origin_;
  std::optional<Error> error_;
};

std::string trimmed_text(ByteSpan octets) { return std::string(trim_padding(as_text(octets))); }

std::string ae_title_text(ByteSpan octets) {
  std::string_view text = trim_padding(as_text(octets));
  while (text.starts_with(' ')) text.remove_prefix(1);
  return std::string(text);
}

/// Empty when it is not a legal UID.
Uid uid_or_empty(ByteSpan octets) {
  auto uid = Uid::parse(trim_padding(as_text(octets)));
  return uid ? *uid : Uid{};
}

/// Context identifiers of one PDU: odd, and each only once.
class ContextIds {
 public:
  void add(std::uint8_t id, const std::byte* at, Decoder& decoder) {
    if (id % 2 == 0) decoder.fail(Errc::kMalformed, "presentation context id is even", at);
    if (seen_[id]) decoder.fail(Errc::kMalformed, "presentation context id used twice", at);
    seen_.set(id);
    if (seen_.count() > kMaxPresentationContexts) {
      decoder.fail(Errc::kTooLong, "presentation contexts limit=128", at);
    }
  }

 private:
  std::bitset<256> seen_;
};

/// PS3.8 9.3.2.2: octet 5 id, 6-8 reserved, 9- one abstract and one or more transfer syntaxes.
PresentationContextRq presentation_context_rq(Item item, ContextIds& ids, Decoder& decoder) {
  PresentationContextRq context;
  const std::uint8_t id = item.body.u8();
  item.body.skip(3);
  decoder.check(item.body, "presentation context too short");
  ids.add(id, item.at, decoder);
  context.id = PresentationContextId{id};
  bool abstract_seen = false;
  std::size_t transfer_syntaxes = 0;
  while (auto sub = decoder.next(item.body)) {
    if (sub->type == kAbstractSyntaxItem) {
      if (std::exchange(abstract_seen, true)) {
        decoder.fail(Errc::kMalformed, "second abstract syntax in a context", sub->at);
      }
      context.abstract_syntax = uid_or_empty(sub->body.rest());
    } else if (sub->type == kTransferSyntaxItem) {
      if (++transfer_syntaxes > kMaxTransferSyntaxes) {
        decoder.fail(Errc::kTooLong, "transfer syntaxes in a context limit=64", sub->at);
        break;
      }
      const Uid uid = uid_or_empty(sub->body.rest());
      if (!uid.empty()) context.transfer_syntaxes.push_back(uid);
    }
  }
  return context;
}

/// PS3.8 9.3.3.2: octet 5 id, 6 reserved, 7 result, 8 reserved, 9- one transfer syntax, which is
/// not to be tested unless the result is acceptance. Acceptance with a syntax that is none leaves
/// nothing to send with, so it counts as a refusal; so does a result that the standard lacks.
PresentationContextAc presentation_context_ac(Item item, ContextIds& ids, Decoder& decoder) {
  PresentationContextAc context;
  const std::uint8_t id = item.body.u8();
  item.body.skip(1);
  const std::uint8_t result = item.body.u8();
  item.body.skip(1);
  decoder.check(item.body, "presentation context too short");
  ids.add(id, item.at, decoder);
  context.id = PresentationContextId{id};
  context.result = result <= 4 ? ContextResult{result} : ContextResult::kNoReason;
  while (auto sub = decoder.next(item.body)) {
    if (sub->type == kTransferSyntaxItem && context.transfer_syntax.empty()) {
      context.transfer_syntax = uid_or_empty(sub->body.rest());
    }
  }
  if (context.result == ContextResult::kAcceptance && context.transfer_syntax.empty()) {
    context.result = ContextResult::kTransferSyntaxesNotSupported;
  }
  return context;
}

/// PS3.7 D.3.3.4: UID length, UID, SCU role, SCP role.
void role_selection(Item& item, UserInformation& user, Decoder& decoder) {
  RoleSelection role;
  role.sop_class_uid = uid_or_empty(item.body.take(item.body.be<std::uint16_t>()));
  role.scu = item.body.u8() == 1;
  role.scp = item.body.u8() == 1;
  decoder.check(item.body, "role selection too short");
  if (!role.sop_class_uid.empty()) user.roles.push_back(role);
}

/// PS3.7 D.3.3.5: UID length, UID, application information of the service class.
void sop_class_extended(Item& item, UserInformation& user, Decoder& decoder) {
  SopClassExtended extended;
  extended.sop_class_uid = uid_or_empty(item.body.take(item.body.be<std::uint16_t>()));
  decoder.check(item.body, "SOP class extended negotiation too short");
  if (decoder.failed() || extended.sop_class_uid.empty()) return;
  extended.information.assign(item.body.rest().begin(), item.body.rest().end());
  user.extended.push_back(std::move(extended));
}

/// PS3.7 D.3.3.7.1 (58H): type, response requested, primary field, secondary field; D.3.3.7.2
/// (59H): the server's response. Fields are counted by two octets.
void user_identity(Item& item, UserInformation& user, Decoder& decoder) {
  UserIdentity identity;
  const auto field = [&] {
    const ByteSpan octets = item.body.take(item.body.be<std::uint16_t>());
    return Bytes(octets.begin(), octets.end());
  };
  if (item.type == kUserIdentityRqItem) {
    identity.type = item.body.u8();
    identity.positive_response_requested = item.body.u8() == 1;
  }
  identity.primary = field();
  if (item.type == kUserIdentityRqItem) identity.secondary = field();
  decoder.check(item.body, "user identity too short");
  user.user_identity = std::move(identity);
}

void user_sub_item(Item item, UserInformation& user, Decoder& decoder) {
  switch (item.type) {
    case kMaximumLengthItem:
      user.max_pdu_length = item.body.be<std::uint32_t>();
      decoder.check(item.body, "maximum length too short");
      break;
    case kImplementationClassUidItem:
      user.implementation_class_uid = trimmed_text(item.body.rest());
      break;
    case kAsyncOperationsItem:
      user.async_operations.emplace();
      user.async_operations->invoked = item.body.be<std::uint16_t>();
      user.async_operations->performed = item.body.be<std::uint16_t>();
      decoder.check(item.body, "asynchronous operations window too short");
      break;
    case kRoleSelectionItem:
      role_selection(item, user, decoder);
      break;
    case kImplementationVersionItem: {
      const ByteSpan name = item.body.rest();
      user.implementation_version_name =
          trimmed_text(name.first(std::min(name.size(), kMaxVersionName)));
      break;
    }
    case kSopClassExtendedItem:
      sop_class_extended(item, user, decoder);
      break;
    case kUserIdentityRqItem:
    case kUserIdentityAcItem:
      user_identity(item, user, decoder);
      break;
    default:  // others, SOP class common extended negotiation (57H) too, are never answered
      break;
  }
}

/// PS3.8 9.3.2.3. A sub-item that should come once and comes again replaces the earlier one.
UserInformation user_information(Item item, Decoder& decoder) {
  UserInformation user;
  std::size_t sub_items = 0;
  while (auto sub = decoder.next(item.body)) {
    if (++sub_items > kMaxUserInfoSubItems) {
      decoder.fail(Errc::kTooLong, "user information sub-items limit=256", sub->at);
      break;
    }
    user_sub_item(*sub, user, decoder);
  }
  return user;
}

/// Octets 7-74, alike in A-ASSOCIATE-RQ and -AC (PS3.8 9.3.2 and 9.3.3): 7-8 protocol version,
/// 9-10 reserved, 11-26 called and 27-42 calling AE title, 43-74 reserved.
template <class Associate>
void fixed_fields(ByteReader& in, Associate& pdu, Decoder& decoder) {
  pdu.protocol_version = in.be<std::uint16_t>();
  in.skip(2);
  pdu.called_ae_title = ae_title_text(in.take(AeTitle::kMaxLength));
  pdu.calling_ae_title = ae_title_text(in.take(AeTitle::kMaxLength));
  in.skip(32);
  decoder.check(in, "A-ASSOCIATE PDU too short");
}

/// The whole of an A-ASSOCIATE-RQ or -AC; `context` decodes a presentation context item, whose type
/// is `context_type`. From octet 75: one application context, presentation contexts, one user
/// information, in any order. A missing one is left empty, for the receiver to judge.
template <class Associate, class ContextDecoder>
Result<Associate> decode_associate(ByteSpan body, std::uint8_t context_type,
                                   ContextDecoder context) {
  if (body.size() > kMaxAssociatePduLength) {
    return Error{Errc::kTooLong, "A-ASSOCIATE PDU length=" + std::to_string(body.size()) +
                                     " limit=" + std::to_string(kMaxAssociatePduLength)};
  }
  Associate pdu;
  Decoder decoder(body);
  ByteReader in(body);
  fixed_fields(in, pdu, decoder);
  ContextIds ids;
  std::bitset<256> once;
  while (auto item = decoder.next(in)) {
    if (item->type == context_type) {
      pdu.contexts.push_back(context(*item, ids, decoder));
      continue;
    }
    if (item->type != kApplicationContextItem && item->type != kUserInformationItem) continue;
    if (once[item->type]) decoder.fail(Errc::kMalformed, "item comes twice", item->at);
    once.set(item->type);
    if (item->type == kApplicationContextItem) {
      pdu.application_context = trimmed_text(item->body.rest());
    } else {
      pdu.user = user_information(*item, decoder);
    }
  }
  if (decoder.failed()) return std::move(decoder).error();
  return pdu;
}

/// The four octets of an A-ASSOCIATE-RJ or A-ABORT.
Result<ByteReader> four_octets(ByteSpan body, std::string_view name) {
  if (body.size() == 4) return ByteReader(body);
  return Error{Errc::kMalformed,
               std::string(name) + " length=" + std::to_string(body.size()) + " octet=3"};
}

}  // namespace

PduHeader decode_pdu_header(const std::byte* six_octets) noexcept {
  // Octet 1 type, 2 reserved (not tested), 3-6 length.
  return {std::to_integer<std::uint8_t>(six_octets[0]), load_be<std::uint32_t>(six_octets + 2)};
}

Result<AAssociateRq> decode_associate_rq(ByteSpan body) {
  return decode_associate<AAssociateRq>(body, kPresentationContextRqItem, presentation_context_rq);
}

Result<AAssociateAc> decode_associate_ac(ByteSpan body) {
  return decode_associate<AAssociateAc>(body, kPresentationContextAcItem, presentation_context_ac);
}

// PS3.8 9.3.4: octet 7 reserved, 8 result, 9 source, 10 reason/diagnostic.
Result<AAssociateRj> decode_associate_rj(ByteSpan body) {
  auto in = four_octets(body, "A-ASSOCIATE-RJ");
  if (!in) return std::move(in).error();
  in->skip(1);
  AAssociateRj pdu;
  // Whoever refuses for good says 1; any other value must not stop us from trying again.
  pdu.result = in->u8() == 1 ? 1 : 2;
  pdu.source = in->u8();
  pdu.reason = in->u8();
  return pdu;
}

// PS3.8 9.3.8: octets 7-8 reserved, 9 source, 10 reason/diagnostic.
Result<AAbort> decode_abort(ByteSpan body) {
  auto in = four_octets(body, "A-ABORT");
  if (!in) return std::move(in).error();
  in->skip(2);
  AAbort pdu;
  pdu.source = in->u8();
  pdu.reason = in->u8();
  return pdu;
}

// PS3.8 9.3.5: from octet 7 one or more PDV items: 1-4 length of what follows, 5 context id, 6
// message control header (E.2: bit 0 command, bit 1 last fragment, others not tested), 7- fragment.
Result<std::vector<Pdv>> decode_p_data(ByteSpan body) {
  std::vector<Pdv> pdvs;
  Decoder decoder(body);
  ByteReader in(body);
  do {
    const std::byte* at = in.rest().data();
    ByteReader item(in.take(in.be<std::uint32_t>()));
    Pdv pdv;
    pdv.id = PresentationContextId{item.u8()};
    const std::uint8_t control = item.u8();
    if (in.failed()) decoder.fail(Errc::kMalformed, "PDV longer than its PDU", at);
    if (item.failed()) decoder.fail(Errc::kMalformed, "PDV too short", at);
    if (decoder.failed()) return std::move(decoder).error();
    pdv.command = (control & 1) != 0;
    pdv.last = (control & 2) != 0;
    pdv.data = item.rest();
    pdvs.push_back(pdv);
  } while (in.remaining() > 0);
  return pdvs;
}

}  // namespace dr::ul
