#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/ae_title.h"
#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"

namespace dr::ul {

/// PDU types (PS3.8 9.3.1).
enum class PduType : std::uint8_t {
  kAAssociateRq = 0x01,
  kAAssociateAc = 0x02,
  kAAssociateRj = 0x03,
  kPDataTf = 0x04,
  kAReleaseRq = 0x05,
  kAReleaseRp = 0x06,
  kAAbort = 0x07,
};

/// Ceilings on what a peer may send; a PDU above them is refused before anything is allocated.
inline constexpr std::uint32_t kPduHeaderLength = 6;
inline constexpr std::uint32_t kMaxAssociatePduLength = 256 * 1024;
inline constexpr std::size_t kMaxPresentationContexts = 128;
inline constexpr std::size_t kMaxTransferSyntaxes = 64;  // a context
inline constexpr std::size_t kMaxUserInfoSubItems = 256;

/// Odd, 1 to 255 (PS3.8 9.3.2.2).
enum class PresentationContextId : std::uint8_t {};

/// Names of one proposed context. A UID that is not a legal one is kept out: the context then gets
/// an empty abstract syntax and is refused with "abstract-syntax-not-supported"; a bad transfer
/// syntax is left out.
struct PresentationContextRq {
  PresentationContextId id{};
  Uid abstract_syntax;
  std::vector<Uid> transfer_syntaxes;
};

/// PS3.8 9.3.3.2.
enum class ContextResult : std::uint8_t {
  kAcceptance = 0,
  kUserRejection = 1,
  kNoReason = 2,
  kAbstractSyntaxNotSupported = 3,
  kTransferSyntaxesNotSupported = 4,
};

/// Decoded, an acceptance always names a transfer syntax: one without counts as refused with
/// kTransferSyntaxesNotSupported, and a result that the standard lacks as kNoReason.
struct PresentationContextAc {
  PresentationContextId id{};
  ContextResult result{};
  Uid transfer_syntax;  // significant only when accepted
};

/// PS3.7 D.3.3.3.
struct AsyncOperationsWindow {
  std::uint16_t invoked = 1;    // 0: unlimited
  std::uint16_t performed = 1;  // 0: unlimited
};

/// PS3.7 D.3.3.4.
struct RoleSelection {
  Uid sop_class_uid;
  bool scu = true;
  bool scp = false;
};

/// PS3.7 D.3.3.5: kept as octets; answered only where a service knows them. SOP class common
/// extended negotiation (D.3.3.6) is never answered and is stepped over.
struct SopClassExtended {
  Uid sop_class_uid;
  Bytes information;
};

/// PS3.7 D.3.3.7. The fields may hold a secret: never logged. In an A-ASSOCIATE-AC only `primary`
/// counts, the server's response.
struct UserIdentity {
  std::uint8_t type = 0;
  bool positive_response_requested = false;
  Bytes primary;
  Bytes secondary;
};

struct UserInformation {
  std::uint32_t max_pdu_length = 0;         // 0: no limit (PS3.8 D.1)
  std::string implementation_class_uid;     // as sent; may not be a legal UID
  std::string implementation_version_name;  // at most 16 characters, as sent
  std::optional<AsyncOperationsWindow> async_operations;
  std::vector<RoleSelection> roles;
  std::vector<SopClassExtended> extended;
  std::optional<UserIdentity> user_identity;
};

/// PS3.8 9.3.2. The AE titles are kept as text, since a receiver must judge them, not the decoder:
/// trimmed of spaces, may be empty or illegal.
struct AAssociateRq {
  std::uint16_t protocol_version = 1;
  std::string called_ae_title;
  std::string calling_ae_title;
  std::string application_context;
  std::vector<PresentationContextRq> contexts;
  UserInformation user;
};

/// PS3.8 9.3.3.
struct AAssociateAc {
  std::uint16_t protocol_version = 1;
  std::string called_ae_title;   // echoed from the request, not to be tested
  std::string calling_ae_title;  // likewise
  std::string application_context;
  std::vector<PresentationContextAc> contexts;
  UserInformation user;
};

/// PS3.8 9.3.4.
struct AAssociateRj {
  std::uint8_t result = 1;  // 1 permanent, 2 transient; decoded, every other value is 2
  std::uint8_t source = 1;  // 1 service user, 2 provider (ACSE), 3 provider (presentation)
  std::uint8_t reason = 1;
};

/// One presentation data value (PS3.8 9.3.5.1), its octets a view into the PDU.
struct Pdv {
  PresentationContextId id{};
  bool command = false;
  bool last = false;
  ByteSpan data;
};

struct AReleaseRq {};
struct AReleaseRp {};

/// PS3.8 9.3.8.
struct AAbort {
  std::uint8_t source = 0;  // 0 service user, 2 service provider
  std::uint8_t reason = 0;  // with source 2: 0 not specified, 1 unrecognised PDU, 2 unexpected PDU,
                            // 4 unrecognised parameter, 5 unexpected parameter, 6 invalid value
};

inline constexpr std::string_view kApplicationContext = "1.2.840.10008.3.1.1.1";  // PS3.7 A.2.1

/// The six octets before every PDU.
struct PduHeader {
  std::uint8_t type = 0;
  std::uint32_t length = 0;  // of what follows
};
PduHeader decode_pdu_header(const std::byte* six_octets) noexcept;

/// Decoders of a PDU's octets after its header. They test what a receiver must test and nothing
/// that the standard says is not to be tested; unknown items and sub-items are stepped over
/// (PS3.8 9.3.1). kMalformed and kTooLong carry `octet=`, counted from 1 at the PDU's header as the
/// standard does.
Result<AAssociateRq> decode_associate_rq(ByteSpan body);
Result<AAssociateAc> decode_associate_ac(ByteSpan body);
Result<AAssociateRj> decode_associate_rj(ByteSpan body);
Result<AAbort> decode_abort(ByteSpan body);
/// All PDVs of a whole P-DATA-TF.
Result<std::vector<Pdv>> decode_p_data(ByteSpan body);

/// Whole PDUs, header included. Throw std::length_error where an item outgrows its 16 bit length.
Bytes encode(const AAssociateRq& pdu);
Bytes encode(const AAssociateAc& pdu);
Bytes encode(const AAssociateRj& pdu);
Bytes encode(AReleaseRq pdu);
Bytes encode(AReleaseRp pdu);
Bytes encode(const AAbort& pdu);
/// The 12 octets of a P-DATA-TF with one PDV of `data_length` octets, which follow it.
std::array<std::byte, 12> p_data_header(PresentationContextId id, bool command, bool last,
                                        std::uint32_t data_length) noexcept;

}  // namespace dr::ul
