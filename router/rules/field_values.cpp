#include "router/rules/field_values.h"

#include <charconv>
#include <cstring>

#include "router/rules/items.h"

namespace dr::rules {
namespace {

using encoding::Tag;
using encoding::Vr;
using encoding::vr;

/// The octets of one number of a binary VR; 0 for any other VR.
std::size_t binary_width(Vr v) {
  const auto is = [](char a, char b) { return static_cast<std::uint16_t>(vr(a, b)); };
  switch (static_cast<std::uint16_t>(v)) {
    case is('U', 'S'):
    case is('S', 'S'):
      return 2;
    case is('U', 'L'):
    case is('S', 'L'):
    case is('F', 'L'):
    case is('A', 'T'):
      return 4;
    case is('U', 'V'):
    case is('S', 'V'):
    case is('F', 'D'):
      return 8;
    default:
      return 0;
  }
}

/// Sequences and the O* family: they are there or not, nothing more is asked.
bool is_opaque(Vr v) { return v == vr('S', 'Q') || static_cast<std::uint16_t>(v) >> 8 == 'O'; }

template <class Unsigned>
Unsigned load(const std::byte* p, bool big_endian) {
  return big_endian ? load_be<Unsigned>(p) : load_le<Unsigned>(p);
}

template <class Number>
std::size_t print(char* to, std::size_t size, Number number) {
  return static_cast<std::size_t>(std::to_chars(to, to + size, number).ptr - to);
}

/// As people write it: decimal, the shortest that is exact; a tag as "(gggg,eeee)".
std::size_t print_binary(char* to, std::size_t size, const std::byte* p, Vr v, bool big_endian) {
  const auto is = [](char a, char b) { return static_cast<std::uint16_t>(vr(a, b)); };
  switch (static_cast<std::uint16_t>(v)) {
    case is('U', 'S'):
      return print(to, size, load<std::uint16_t>(p, big_endian));
    case is('S', 'S'):
      return print(to, size, static_cast<std::int16_t>(load<std::uint16_t>(p, big_endian)));
    case is('U', 'L'):
      return print(to, size, load<std::uint32_t>(p, big_endian));
    case is('S', 'L'):
      return print(to, size, static_cast<std::int32_t>(load<std::uint32_t>(p, big_endian)));
    case is('F', 'L'):
      return print(to, size, std::bit_cast<float>(load<std::uint32_t>(p, big_endian)));
    case is('U', 'V'):
      return print(to, size, load<std::uint64_t>(p, big_endian));
    case is('S', 'V'):
      return print(to, size, static_cast<std::int64_t>(load<std::uint64_t>(p, big_endian)));
    case is('F', 'D'):
      return print(to, size, std::bit_cast<double>(load<std::uint64_t>(p, big_endian)));
    default: {
      const Tag tag{load<std::uint16_t>(p, big_endian), load<std::uint16_t>(p + 2, big_endian)};
      const std::string text = tag.to_string();
      return text.copy(to, size);
    }
  }
}

}  // namespace

FieldValues::FieldValues(const Program& program, const Facts& facts)
    : program_(program),
      facts_(facts),
      values_(&memory_),
      fields_(program.fields.size(), &memory_),
      blocks_(program.creators.size(), kUnknownBlock, &memory_) {}

std::span<const std::string_view> FieldValues::of(std::uint32_t index) {
  Range& range = fields_[index];
  if (!range.loaded) {
    range.begin = static_cast<std::uint32_t>(values_.size());
    load(program_.fields[index]);
    range.end = static_cast<std::uint32_t>(values_.size());
    range.loaded = true;
  }
  return std::span(values_).subspan(range.begin, range.end - range.begin);
}

void FieldValues::load(const Field& field) {
  switch (field.source) {
    case Field::Source::kCallingAeTitle:
      return add(facts_.calling_ae_title.view());
    case Field::Source::kCalledAeTitle:
      return add(facts_.called_ae_title.view());
    case Field::Source::kAddress:
      return add(facts_.address);
    case Field::Source::kListener:
      return add(facts_.listener);
    case Field::Source::kTlsSubject:
      return add(facts_.tls_subject);
    case Field::Source::kUser:
      return add(facts_.user);
    case Field::Source::kSopClass:
      return add(facts_.sop_class_uid.view());
    case Field::Source::kTransferSyntax:
      return add(facts_.transfer_syntax_uid.view());
    case Field::Source::kReceived:
      return add_copy(program_.zone.week_time(facts_.received));
    case Field::Source::kElement:
      return field.path.empty() ? load_element(field) : load_nested(field);
  }
}

void FieldValues::load_element(const Field& field) {
  if (const auto* found = find(field.tag, field.creator)) {
    add_element(found->value, found->vr, field.vr, found->big_endian, std::nullopt);
  }
}

void FieldValues::load_nested(const Field& field) {
  const Step& first = field.path.front();
  const auto* found = find(first.sequence, first.creator);
  if (found == nullptr) return;
  const bool explicit_vr = found->vr != Vr::kUnknown && found->vr != vr('U', 'N');
  visit_items(found->value, {explicit_vr, found->big_endian}, field, program_.creators,
              [&](const NestedElement& element) {
                add_element(element.value, element.vr, field.vr, element.big_endian,
                            element.character_set);
              });
}

const encoding::ScannedElement* FieldValues::find(Tag tag, std::uint32_t creator) {
  if (creator == kStandard) return facts_.header.find(tag);
  const std::uint16_t block = block_of(creator);
  if (block == kNoBlock) return nullptr;
  return facts_.header.find({tag.group, static_cast<std::uint16_t>(block << 8 | tag.element)});
}

/// Of the blocks of a group the first that the creator has reserved.
std::uint16_t FieldValues::block_of(std::uint32_t index) {
  std::uint16_t& block = blocks_[index];
  if (block != kUnknownBlock) return block;
  block = kNoBlock;
  const PrivateCreator& creator = program_.creators[index];
  const auto* element = facts_.header.first_from({creator.group, 0x10});
  while (element != nullptr && element->tag <= Tag{creator.group, 0xff}) {
    if (names_creator(element->value, creator.name)) return block = element->tag.element;
    const auto next = static_cast<std::uint16_t>(element->tag.element + 1);
    element = facts_.header.first_from({creator.group, next});
  }
  return block;
}

void FieldValues::add_element(ByteSpan value, Vr encoded, Vr expected, bool big_endian,
                              std::optional<ByteSpan> character_set) {
  const bool tells = encoded != Vr::kUnknown && encoded != vr('U', 'N');
  const Vr v = tells ? encoded : expected;
  if (value.empty()) return;
  if (is_opaque(v)) return add(as_text(value));
  if (const std::size_t width = binary_width(v)) return add_binary(value, v, width, big_endian);
  if (encoding::plain_values(value, v, values_)) return;
  if (character_set) {  // an item's own
    for (const auto& text : encoding::TextDecoder(*character_set).values(value, v)) add_copy(text);
    return;
  }
  if (!decoder_) {
    const auto* charset = facts_.header.find(encoding::tags::kSpecificCharacterSet);
    const bool named = charset != nullptr && !trim_padding(as_text(charset->value)).empty();
    decoder_.emplace(named ? charset->value : as_bytes(facts_.character_set));
  }
  for (const std::string& text : decoder_->values(value, v)) add_copy(text);
}

void FieldValues::add_binary(ByteSpan value, Vr v, std::size_t width, bool big_endian) {
  for (; value.size() >= width; value = value.subspan(width)) {
    std::array<char, 32> text;
    const std::size_t n = print_binary(text.data(), text.size(), value.data(), v, big_endian);
    add_copy({text.data(), n});
  }
}

void FieldValues::add_copy(std::string_view text) {
  if (text.empty()) return;
  auto* const copy = static_cast<char*>(memory_.allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  add({copy, text.size()});
}

}  // namespace dr::rules
