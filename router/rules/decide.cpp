#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory_resource>

#include "dimse/encoding/text.h"
#include "router/rules/items.h"
#include "router/rules/program.h"

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

/// One object as the tests see it: each field's values are brought into Unicode when a test first
/// asks for them, each test is made once. Memory comes from the stack as long as that suffices.
class Evaluation {
 public:
  Evaluation(const Program& program, const Facts& facts)
      : program_(program),
        facts_(facts),
        values_(&memory_),
        fields_(program.fields.size(), &memory_),
        tests_(program.tests.size(), Known::kNot, &memory_),
        blocks_(program.creators.size(), kUnknownBlock, &memory_) {}

  bool holds(std::uint32_t at) {
    const Program::Node& node = program_.nodes[at];
    switch (node.op) {
      case Program::Node::Op::kTest:
        return test(node.test);
      case Program::Node::Op::kNot:
        return !holds(at + 1);
      case Program::Node::Op::kAny:
        for (std::uint32_t child = at + 1; child < node.end; child = program_.nodes[child].end) {
          if (holds(child)) return true;
        }
        return false;
      case Program::Node::Op::kAll:
        break;
    }
    for (std::uint32_t child = at + 1; child < node.end; child = program_.nodes[child].end) {
      if (!holds(child)) return false;
    }
    return true;
  }

  std::pmr::memory_resource* memory() { return &memory_; }

 private:
  enum class Known : std::uint8_t { kNot, kFalse, kTrue };
  struct Values {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool loaded = false;
  };
  static constexpr std::uint16_t kNoBlock = 0;
  static constexpr std::uint16_t kUnknownBlock = 0xffff;

  bool test(std::uint32_t index) {
    Known& known = tests_[index];
    if (known == Known::kNot) {
      const Program::Test& asked = program_.tests[index];
      known = asked.pattern.matches(values_of(asked.field)) ? Known::kTrue : Known::kFalse;
    }
    return known == Known::kTrue;
  }

  std::span<const std::string_view> values_of(std::uint32_t index) {
    Values& range = fields_[index];
    if (!range.loaded) {
      range.begin = static_cast<std::uint32_t>(values_.size());
      load(program_.fields[index]);
      range.end = static_cast<std::uint32_t>(values_.size());
      range.loaded = true;
    }
    return std::span(values_).subspan(range.begin, range.end - range.begin);
  }

  void load(const Field& field) {
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
      case Field::Source::kElement:
        return field.path.empty() ? load_element(field) : load_nested(field);
    }
  }

  void load_element(const Field& field) {
    Tag tag = field.tag;
    if (field.creator != Field::kStandard) {
      const std::uint16_t block = block_of(field.creator);
      if (block == kNoBlock) return;
      tag.element = static_cast<std::uint16_t>(block << 8 | tag.element);
    }
    if (const auto* found = facts_.header.find(tag)) {
      add_element(found->value, found->vr, field.vr, found->big_endian);
    }
  }

  void load_nested(const Field& field) {
    const auto* found = facts_.header.find(field.path.front().sequence);
    if (found == nullptr) return;
    const bool explicit_vr = found->vr != Vr::kUnknown && found->vr != vr('U', 'N');
    visit_items(found->value, {explicit_vr, found->big_endian}, field.path, field.tag,
                [&](const NestedElement& element) {
                  add_element(element.value, element.vr, field.vr, element.big_endian);
                });
  }

  /// Of the blocks of a group the first that the creator has reserved.
  std::uint16_t block_of(std::uint32_t index) {
    std::uint16_t& block = blocks_[index];
    if (block != kUnknownBlock) return block;
    block = kNoBlock;
    const PrivateCreator& creator = program_.creators[index];
    for (std::uint16_t candidate = 0x10; candidate <= 0xff; ++candidate) {
      const auto* element = facts_.header.find({creator.group, candidate});
      if (element == nullptr) continue;
      std::string_view name = trim_padding(as_text(element->value));
      while (name.starts_with(' ')) name.remove_prefix(1);
      if (name != creator.name) continue;
      block = candidate;
      break;
    }
    return block;
  }

  void add(std::string_view value) { values_.push_back(value); }

  void add_element(ByteSpan value, Vr encoded, Vr expected, bool big_endian) {
    const bool tells = encoded != Vr::kUnknown && encoded != vr('U', 'N');
    const Vr v = tells ? encoded : expected;
    if (value.empty()) return;
    if (is_opaque(v)) return add(as_text(value));
    if (const std::size_t width = binary_width(v)) return add_binary(value, v, width, big_endian);
    if (encoding::plain_values(value, v, values_)) return;
    if (!decoder_) {
      const auto* charset = facts_.header.find(encoding::tags::kSpecificCharacterSet);
      decoder_.emplace(charset != nullptr ? charset->value : ByteSpan{});
    }
    for (const std::string& text : decoder_->values(value, v)) add_copy(text);
  }

  void add_binary(ByteSpan value, Vr v, std::size_t width, bool big_endian) {
    for (; value.size() >= width; value = value.subspan(width)) {
      std::array<char, 32> text;
      const std::size_t n = print_binary(text.data(), text.size(), value.data(), v, big_endian);
      add_copy({text.data(), n});
    }
  }

  void add_copy(std::string_view text) {
    if (text.empty()) return;
    auto* const copy = static_cast<char*>(memory_.allocate(text.size(), 1));
    std::memcpy(copy, text.data(), text.size());
    add({copy, text.size()});
  }

  const Program& program_;
  const Facts& facts_;
  std::array<std::byte, 4096> stack_;
  std::pmr::monotonic_buffer_resource memory_{stack_.data(), stack_.size()};
  std::pmr::vector<std::string_view> values_;
  std::pmr::vector<Values> fields_;
  std::pmr::vector<Known> tests_;
  std::pmr::vector<std::uint16_t> blocks_;
  std::optional<encoding::TextDecoder> decoder_;
};

}  // namespace

Decision Program::decide(const Facts& facts) const {
  constexpr std::uint32_t kNotYet = 0xffffffff;
  Evaluation evaluation(*this, facts);
  Decision decision;
  std::pmr::vector<std::uint32_t> place(destinations.size(), kNotYet, evaluation.memory());
  bool matched_before = false;  // by a rule with route or reject
  for (std::uint32_t index = 0; index < rules.size(); ++index) {
    const Rule& rule = rules[index];
    if (rule.unmatched ? matched_before : !evaluation.holds(rule.condition)) continue;
    decision.matched.push_back(index);
    matched_before = matched_before || rule.reject || !rule.destinations.empty();
    decision.extract = decision.extract || rule.extract;
    if (!decision.refuse) decision.refuse = rule.reject;
    for (const std::uint32_t destination : rule.destinations) {
      if (place[destination] == kNotYet) {
        place[destination] = static_cast<std::uint32_t>(decision.routes.size());
        decision.routes.push_back(
            {destinations[destination], rule.priority, rule.transform, {}, {}});
      } else {
        Route& route = decision.routes[place[destination]];
        route.priority = std::min(route.priority, rule.priority);
        if (route.transform != rule.transform) route.held = "conflicting_transforms";
      }
    }
    if (rule.stop) break;
  }
  if (decision.refuse) {  // wins over everything
    decision.routes.clear();
    decision.extract = false;
  }
  return decision;
}

}  // namespace dr::rules
