#include "dimse/message/command_set.h"

#include <string_view>

#include "dimse/base/log.h"

namespace dr::message {
namespace {

constexpr std::size_t kMaxErrorComment = 64;  // VR LO
constexpr std::size_t kElementHeader = 8;

void take(std::optional<Uid>& field, ByteSpan value, CommandSet& /*set*/, encoding::Tag /*tag*/) {
  // Parsing also bounds the length: a UID has at most 64 characters.
  const Result<Uid> uid = Uid::parse(trim_padding(as_text(value)));
  field = uid ? *uid : Uid();
}
void take(std::optional<std::uint16_t>& field, ByteSpan value, CommandSet& set, encoding::Tag tag) {
  if (value.size() == sizeof(std::uint16_t)) {
    field = load_le<std::uint16_t>(value.data());
  } else if (!set.mistyped) {
    set.mistyped = tag;
  }
}
void take(std::optional<Command>& field, ByteSpan value, CommandSet& set, encoding::Tag tag) {
  std::optional<std::uint16_t> number;
  take(number, value, set, tag);
  if (number) field = Command{*number};
}
void take(std::optional<std::string>& field, ByteSpan value, CommandSet& /*set*/,
          encoding::Tag /*tag*/) {
  field = std::string(trim_padding(as_text(value)).substr(0, kMaxErrorComment));
}

// One list for both directions, ascending as they are sent.
template <class Set, class Visit>
void for_each_element(Set& set, Visit&& visit) {
  visit(std::uint16_t{0x0002}, set.affected_sop_class_uid);
  visit(std::uint16_t{0x0003}, set.requested_sop_class_uid);
  visit(std::uint16_t{0x0100}, set.command_field);
  visit(std::uint16_t{0x0110}, set.message_id);
  visit(std::uint16_t{0x0120}, set.message_id_being_responded_to);
  visit(std::uint16_t{0x0700}, set.priority);
  visit(std::uint16_t{0x0800}, set.command_data_set_type);
  visit(std::uint16_t{0x0900}, set.status);
  visit(std::uint16_t{0x0902}, set.error_comment);
  visit(std::uint16_t{0x1000}, set.affected_sop_instance_uid);
  visit(std::uint16_t{0x1001}, set.requested_sop_instance_uid);
  visit(std::uint16_t{0x1002}, set.event_type_id);
  visit(std::uint16_t{0x1008}, set.action_type_id);
}

class Encoder {
 public:
  explicit Encoder(Bytes& out) : out_(out) {}

  void put(std::uint16_t element, std::uint16_t value) {
    header(element, sizeof value);
    out_.le(value);
  }
  void put(std::uint16_t element, Command value) {
    put(element, static_cast<std::uint16_t>(value));
  }
  void put(std::uint16_t element, const Uid& value) { text(element, value.view(), 0); }
  void put(std::uint16_t element, const std::string& value) {
    text(element, std::string_view(value).substr(0, kMaxErrorComment), ' ');
  }

 private:
  void header(std::uint16_t element, std::size_t length) {
    out_.le(std::uint16_t{0});
    out_.le(element);
    out_.le(static_cast<std::uint32_t>(length));
  }
  void text(std::uint16_t element, std::string_view value, std::uint8_t padding) {
    header(element, value.size() + value.size() % 2);
    out_.text(value);
    if (value.size() % 2 != 0) out_.u8(padding);
  }

  ByteWriter out_;
};

}  // namespace

Result<CommandSet> decode_command(ByteSpan octets) {
  CommandSet set;
  ByteReader in(octets);
  std::int32_t previous = -1;
  while (in.remaining() > 0) {
    const std::size_t offset = octets.size() - in.remaining();
    const auto group = in.le<std::uint16_t>();
    const auto element = in.le<std::uint16_t>();
    const auto length = in.le<std::uint32_t>();
    const ByteSpan value = in.take(length);
    if (in.failed() || group != 0 || element <= previous) {
      return Error{Errc::kMalformed, "command element at offset " + std::to_string(offset)};
    }
    previous = element;
    for_each_element(set, [&](std::uint16_t known, auto& field) {
      if (known == element) take(field, value, set, encoding::Tag{0, element});
    });
  }
  return set;
}

Bytes encode_command(const CommandSet& command) {
  Bytes out;
  out.reserve(256);
  Encoder encoder(out);
  ByteWriter writer(out);
  writer.le(std::uint32_t{0});  // (0000,0000) Command Group Length
  writer.le(std::uint32_t{4});
  writer.le(std::uint32_t{0});
  for_each_element(command, [&](std::uint16_t element, const auto& field) {
    if (field) encoder.put(element, *field);
  });
  writer.patch_le(kElementHeader, static_cast<std::uint32_t>(out.size() - kElementHeader - 4));
  return out;
}

}  // namespace dr::message
