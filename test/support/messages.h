#pragma once

#include <string_view>

#include "dimse/message/command_set.h"
#include "dimse/ul/pdu.h"
#include "test/support/dicom_objects.h"
#include "test/support/scripted_peer.h"

namespace dr::test {

inline constexpr std::string_view kImplicitLittleEndian = "1.2.840.10008.1.2";
inline constexpr std::string_view kExplicitLittleEndian = "1.2.840.10008.1.2.1";
inline constexpr std::string_view kVerificationClass = "1.2.840.10008.1.1";

/// Context 1: Verification, 3: CT Image Storage, both implicit VR little endian.
inline ul::AAssociateRq an_association_request() {
  ul::AAssociateRq rq;
  rq.called_ae_title = "ROUTER";
  rq.calling_ae_title = "MODALITY";
  rq.application_context = ul::kApplicationContext;
  rq.contexts = {{ul::PresentationContextId{1},
                  uid_literal(kVerificationClass),
                  {uid_literal(kImplicitLittleEndian)}},
                 {ul::PresentationContextId{3},
                  uid_literal(kCtImageStorage),
                  {uid_literal(kImplicitLittleEndian)}}};
  rq.user.max_pdu_length = 16384;
  rq.user.implementation_class_uid = "1.2.3";
  return rq;
}

inline message::CommandSet a_store_request(std::uint16_t message_id,
                                           std::string_view instance = "1.2.3.4") {
  message::CommandSet rq;
  rq.affected_sop_class_uid = uid_literal(kCtImageStorage);
  rq.command_field = message::Command::kCStoreRq;
  rq.message_id = message_id;
  rq.priority = std::uint16_t{0};
  rq.command_data_set_type = message::kDataSetFollows;
  rq.affected_sop_instance_uid = uid_literal(instance);
  return rq;
}

inline message::CommandSet an_echo_request(std::uint16_t message_id) {
  message::CommandSet rq;
  rq.affected_sop_class_uid = uid_literal(kVerificationClass);
  rq.command_field = message::Command::kCEchoRq;
  rq.message_id = message_id;
  rq.command_data_set_type = message::kNoDataSet;
  return rq;
}

inline Bytes command_pdu(std::uint8_t context, const message::CommandSet& command) {
  return p_data(context, true, true, message::encode_command(command));
}

/// A data set of `octets` octets that differ from place to place.
inline Bytes some_data(std::size_t octets) {
  Bytes data(octets);
  std::uint32_t state = 1;
  for (std::byte& octet : data) {
    state = state * 1664525U + 1013904223U;
    octet = static_cast<std::byte>(state >> 24);
  }
  return data;
}

/// The command set of the one-PDV response that arrives next.
inline message::CommandSet receive_response(ScriptedPeer& peer) {
  const Bytes pdu = peer.receive_pdu();
  if (pdu.size() < 12 || pdu[0] != std::byte{0x04}) return {};
  const auto command = message::decode_command(ByteSpan(pdu).subspan(12));
  return command ? *command : message::CommandSet{};
}

inline const Bytes kReleaseRq = hex("05 00 00000004 00000000");
inline const Bytes kReleaseRp = hex("06 00 00000004 00000000");
/// A-ABORT as it stands on the wire.
inline Bytes an_abort(std::uint8_t source, std::uint8_t reason) {
  return ul::encode(ul::AAbort{.source = source, .reason = reason});
}

}  // namespace dr::test
