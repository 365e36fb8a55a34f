#pragma once

#include <array>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>

#include "dimse/encoding/text.h"
#include "router/rules/program.h"

namespace dr::rules {

/// What the fields of a program are for one object: each field's values are brought into Unicode
/// when they are first asked for. Memory comes from the stack as long as that suffices. The views
/// live as long as this and `facts`.
class FieldValues {
 public:
  FieldValues(const Program& program, const Facts& facts);

  std::span<const std::string_view> of(std::uint32_t field);
  std::pmr::memory_resource* memory() { return &memory_; }

 private:
  struct Range {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool loaded = false;
  };
  static constexpr std::uint16_t kNoBlock = 0;
  static constexpr std::uint16_t kUnknownBlock = 0xffff;

  void load(const Field& field);
  void load_element(const Field& field);
  void load_nested(const Field& field);
  const encoding::ScannedElement* find(encoding::Tag tag, std::uint32_t creator);
  std::uint16_t block_of(std::uint32_t creator);
  void add(std::string_view value) { values_.push_back(value); }
  void add_copy(std::string_view text);
  void add_element(ByteSpan value, encoding::Vr encoded, encoding::Vr expected, bool big_endian,
                   std::optional<ByteSpan> character_set);
  void add_binary(ByteSpan value, encoding::Vr v, std::size_t width, bool big_endian);

  const Program& program_;
  const Facts& facts_;
  std::array<std::byte, 8192> stack_;
  std::pmr::monotonic_buffer_resource memory_{stack_.data(), stack_.size()};
  std::pmr::vector<std::string_view> values_;
  std::pmr::vector<Range> fields_;
  std::pmr::vector<std::uint16_t> blocks_;
  std::optional<encoding::TextDecoder> decoder_;
};

}  // namespace dr::rules
