#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "dimse/encoding/tag.h"

namespace dr::message {

/// Command Field (0000,0100) of the requests of PS3.7 E.1; their responses have kResponse added.
enum class Command : std::uint16_t {
  kCStoreRq = 0x0001,
  kCGetRq = 0x0010,
  kCFindRq = 0x0020,
  kCMoveRq = 0x0021,
  kCEchoRq = 0x0030,
  kNEventReportRq = 0x0100,
  kNGetRq = 0x0110,
  kNSetRq = 0x0120,
  kNActionRq = 0x0130,
  kNCreateRq = 0x0140,
  kNDeleteRq = 0x0150,
  kCCancelRq = 0x0fff,
  kCStoreRsp = 0x8001,
  kCEchoRsp = 0x8030,
};
inline constexpr std::uint16_t kResponse = 0x8000;
inline constexpr bool is_response(Command c) {
  return (static_cast<std::uint16_t>(c) & kResponse) != 0;
}
inline constexpr Command response_to(Command c) {
  return Command{static_cast<std::uint16_t>(static_cast<std::uint16_t>(c) | kResponse)};
}

/// Command Data Set Type (0000,0800): no data set follows. Any other value says that one does.
inline constexpr std::uint16_t kNoDataSet = 0x0101;
/// What a response and a request of ours carry when one does follow.
inline constexpr std::uint16_t kDataSetFollows = 0x0001;

/// A command set longer than this is refused before it is kept.
inline constexpr std::size_t kMaxCommandSet = 64 * 1024;

/// The command elements that this program knows (PS3.7 E.1). A UID that is present but not legal is
/// an empty Uid, so that its service can name the fault.
struct CommandSet {
  std::optional<Uid> affected_sop_class_uid;                   // (0000,0002)
  std::optional<Uid> requested_sop_class_uid;                  // (0000,0003)
  std::optional<Command> command_field;                        // (0000,0100)
  std::optional<std::uint16_t> message_id;                     // (0000,0110)
  std::optional<std::uint16_t> message_id_being_responded_to;  // (0000,0120)
  std::optional<std::uint16_t> priority;                       // (0000,0700)
  std::optional<std::uint16_t> command_data_set_type;          // (0000,0800)
  std::optional<std::uint16_t> status;                         // (0000,0900)
  std::optional<std::string> error_comment;                    // (0000,0902), at most 64 characters
  std::optional<Uid> affected_sop_instance_uid;                // (0000,1000)
  std::optional<Uid> requested_sop_instance_uid;               // (0000,1001)
  std::optional<std::uint16_t> event_type_id;                  // (0000,1002)
  std::optional<std::uint16_t> action_type_id;                 // (0000,1008)

  /// The first known element whose value has not the length of its VR: answered with 0212H.
  std::optional<encoding::Tag> mistyped;

  bool has_data_set() const { return command_data_set_type.value_or(kNoDataSet) != kNoDataSet; }
};

/// Implicit VR little endian (PS3.7 6.3.1). Unknown elements are stepped over. kMalformed: an
/// element outside group 0000, not in ascending order, or longer than what remains.
Result<CommandSet> decode_command(ByteSpan octets);

/// With its group length; ascending; values padded to even length.
Bytes encode_command(const CommandSet& command);

}  // namespace dr::message
