#include <algorithm>
#include <limits>
#include <stdexcept>

#include "dimse/ul/pdu.h"

namespace dr::ul {
namespace {

// Stands in the transfer syntax sub-item of a refused context, which is not significant but which
// some receivers parse all the same: implicit VR little endian (PS3.5 10.1).
constexpr std::string_view kInsignificantTransferSyntax = "1.2.840.10008.1.2";

/// Writes one PDU: type, reserved octet, four octets of length, filled in at the end.
class PduWriter : public ByteWriter {
 public:
  PduWriter(Bytes& out, PduType type) : ByteWriter(out) {
    u8(static_cast<std::uint8_t>(type));
    zeros(5);
  }
  void finish() { patch_be(2, static_cast<std::uint32_t>(size() - kPduHeaderLength)); }

  /// An item or sub-item: type, reserved octet, two octets of length, and what `content` writes.
  /// Throws std::length_error when that is longer than the field can say: a defect of the caller,
  /// since every value that was decoded fits.
  template <class Content>
  void item(std::uint8_t type, Content content) {
    u8(type);
    zeros(3);
    const std::size_t start = size();
    content();
    patch_be(start - 2, length16(size() - start));
  }
  void text_item(std::uint8_t type, std::string_view value) {
    item(type, [&] { text(value); });
  }
  void counted(ByteSpan octets) {
    be(length16(octets.size()));
    put(octets);
  }

 private:
  static std::uint16_t length16(std::size_t n) {
    if (n > std::numeric_limits<std::uint16_t>::max()) throw std::length_error("PDU item");
    return static_cast<std::uint16_t>(n);
  }
};

void ae_title_field(PduWriter& out, std::string_view title) {
  const std::string_view field = title.substr(0, AeTitle::kMaxLength);
  out.text(field);
  out.text(std::string(AeTitle::kMaxLength - field.size(), ' '));
}

void user_identity(PduWriter& out, const UserIdentity& identity, bool request) {
  if (request) {
    out.item(0x58, [&] {
      out.u8(identity.type);
      out.u8(identity.positive_response_requested ? 1 : 0);
      out.counted(identity.primary);
      out.counted(identity.secondary);
    });
  } else {
    out.item(0x59, [&] { out.counted(identity.primary); });
  }
}

/// PS3.8 9.3.2.3, sub-items in the order of their types.
void user_information(PduWriter& out, const UserInformation& user, bool request) {
  out.item(0x51, [&] { out.be(user.max_pdu_length); });
  if (!user.implementation_class_uid.empty()) out.text_item(0x52, user.implementation_class_uid);
  if (user.async_operations) {
    out.item(0x53, [&] {
      out.be(user.async_operations->invoked);
      out.be(user.async_operations->performed);
    });
  }
  for (const RoleSelection& role : user.roles) {
    out.item(0x54, [&] {
      out.counted(as_bytes(role.sop_class_uid.view()));
      out.u8(role.scu ? 1 : 0);
      out.u8(role.scp ? 1 : 0);
    });
  }
  if (!user.implementation_version_name.empty()) {
    out.text_item(0x55, user.implementation_version_name);
  }
  for (const SopClassExtended& extended : user.extended) {
    out.item(0x56, [&] {
      out.counted(as_bytes(extended.sop_class_uid.view()));
      out.put(extended.information);
    });
  }
  if (user.user_identity) user_identity(out, *user.user_identity, request);
}

/// PS3.8 9.3.2.2.
void presentation_context(PduWriter& out, const PresentationContextRq& context) {
  out.item(0x20, [&] {
    out.u8(static_cast<std::uint8_t>(context.id));
    out.zeros(3);
    out.text_item(0x30, context.abstract_syntax.view());
    for (const Uid& uid : context.transfer_syntaxes) out.text_item(0x40, uid.view());
  });
}

/// PS3.8 9.3.3.2.
void presentation_context(PduWriter& out, const PresentationContextAc& context) {
  out.item(0x21, [&] {
    out.u8(static_cast<std::uint8_t>(context.id));
    out.zeros(1);
    out.u8(static_cast<std::uint8_t>(context.result));
    out.zeros(1);
    const bool named = !context.transfer_syntax.empty();
    out.text_item(0x40, named ? context.transfer_syntax.view() : kInsignificantTransferSyntax);
  });
}

/// PS3.8 9.3.2 and 9.3.3: both are laid out alike.
template <class Associate>
Bytes associate(PduType type, const Associate& pdu) {
  Bytes octets;
  PduWriter out(octets, type);
  out.be(pdu.protocol_version);
  out.zeros(2);
  ae_title_field(out, pdu.called_ae_title);
  ae_title_field(out, pdu.calling_ae_title);
  out.zeros(32);
  out.text_item(0x10, pdu.application_context);
  for (const auto& context : pdu.contexts) presentation_context(out, context);
  out.item(0x50, [&] { user_information(out, pdu.user, type == PduType::kAAssociateRq); });
  out.finish();
  return octets;
}

/// The PDUs that are four octets after their header.
Bytes four_octets(PduType type, std::array<std::uint8_t, 4> fields) {
  Bytes octets;
  PduWriter out(octets, type);
  for (const std::uint8_t field : fields) out.u8(field);
  out.finish();
  return octets;
}

}  // namespace

Bytes encode(const AAssociateRq& pdu) { return associate(PduType::kAAssociateRq, pdu); }

Bytes encode(const AAssociateAc& pdu) { return associate(PduType::kAAssociateAc, pdu); }

Bytes encode(const AAssociateRj& pdu) {
  return four_octets(PduType::kAAssociateRj, {0, pdu.result, pdu.source, pdu.reason});
}

Bytes encode(AReleaseRq /*pdu*/) { return four_octets(PduType::kAReleaseRq, {}); }

Bytes encode(AReleaseRp /*pdu*/) { return four_octets(PduType::kAReleaseRp, {}); }

Bytes encode(const AAbort& pdu) {
  return four_octets(PduType::kAAbort, {0, 0, pdu.source, pdu.reason});
}

std::array<std::byte, 12> p_data_header(PresentationContextId id, bool command, bool last,
                                        std::uint32_t data_length) noexcept {
  std::array<std::byte, 12> header{};
  header[0] = static_cast<std::byte>(PduType::kPDataTf);
  store_be(header.data() + 2, data_length + 6);  // PDU: the PDV's length field and the PDV
  store_be(header.data() + 6, data_length + 2);  // PDV: context id, control header and data
  header[10] = static_cast<std::byte>(id);
  header[11] = static_cast<std::byte>((command ? 1 : 0) | (last ? 2 : 0));
  return header;
}

}  // namespace dr::ul
