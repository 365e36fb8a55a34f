#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dr::encoding {

/// A data element tag (PS3.5 7.1): ordered by group, then element.
struct Tag {
  std::uint16_t group = 0;
  std::uint16_t element = 0;
  friend auto operator<=>(const Tag&, const Tag&) = default;
  std::string to_string() const;  // "(0008,0018)"
};

/// A value representation by its two letters (PS3.5 6.2).
enum class Vr : std::uint16_t { kUnknown = 0 };
constexpr Vr vr(char a, char b) {
  return Vr{static_cast<std::uint16_t>(static_cast<unsigned char>(a) << 8 |
                                       static_cast<unsigned char>(b))};
}

namespace tags {
inline constexpr Tag kSpecificCharacterSet{0x0008, 0x0005};
inline constexpr Tag kSopClassUid{0x0008, 0x0016};
inline constexpr Tag kSopInstanceUid{0x0008, 0x0018};
inline constexpr Tag kModality{0x0008, 0x0060};
inline constexpr Tag kPatientId{0x0010, 0x0020};
inline constexpr Tag kStudyInstanceUid{0x0020, 0x000d};
inline constexpr Tag kSeriesInstanceUid{0x0020, 0x000e};
}  // namespace tags

/// One entry of the data dictionary (PS3.6), by keyword or tag.
struct DictionaryEntry {
  Tag tag;
  Vr vr{};
  std::string keyword;
};
std::optional<DictionaryEntry> find_keyword(std::string_view keyword);
std::optional<DictionaryEntry> find_tag(Tag tag);
/// The keyword nearest to a misspelt one, or nullopt when none is near.
std::optional<std::string> nearest_keyword(std::string_view misspelt);

}  // namespace dr::encoding
