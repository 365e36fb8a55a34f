#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dr::encoding {

/// One Specific Character Set (0008,0005) with all its values: how octets become characters (PS3.5
/// 6.1, PS3.3 C.12.1.1.2). Escape sequences of ISO 2022 are followed whether or not (0008,0005)
/// announces their set. Converts with iconv(3), since DCMTK on top of the C library's iconv knows
/// neither JIS X 0208 nor 0212. One thread at a time.
class CharacterSet {
 public:
  /// `value`: of (0008,0005), padding and all; empty for the default repertoire. Common
  /// misspellings ("ISO-IR 100", "ISO IR 192") are understood.
  explicit CharacterSet(std::string_view value);
  ~CharacterSet();
  CharacterSet(CharacterSet&&) noexcept;
  CharacterSet& operator=(CharacterSet&&) noexcept;

  /// The parts between backslashes; an octet 5CH inside a longer character is none.
  std::vector<std::string_view> split(std::string_view text) const;
  /// In UTF-8; nullopt where any octet has no meaning. `person_name`: '^' and '=' too go back to
  /// the initial sets (PS3.5 6.1.2.5.3).
  std::optional<std::string> decode(std::string_view text, bool person_name) const;
  /// The octets of `utf8`, which has no ESC; nullopt where this set, and those that its further
  /// values announce, have no such character. Code extensions only as announced.
  std::optional<std::string> encode(std::string_view utf8, bool person_name) const;
  /// Whether all values of a (0008,0005) are defined terms (PS3.3 C.12.1.1.2), one alone or several
  /// with code extensions.
  static bool is_known(std::string_view value);
  /// Whether an octet below 80H, outside of escape sequences, is always a character of its own.
  bool ascii_stands_alone() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::encoding
