#include "router/rules/transform_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>

#include "dimse/base/uid.h"
#include "dimse/encoding/text.h"
#include "router/rules/transform_text.h"

namespace dr::rules {
namespace {

using encoding::Vr;
using encoding::vr;

struct TextLimit {
  Vr vr;
  std::size_t characters;  // of one value
  bool single;             // a backslash is no separator
};
constexpr TextLimit kTexts[] = {{vr('A', 'E'), 16, false},         {vr('C', 'S'), 16, false},
                                {vr('D', 'S'), 16, false},         {vr('I', 'S'), 12, false},
                                {vr('L', 'O'), 64, false},         {vr('L', 'T'), 10240, true},
                                {vr('P', 'N'), 64 * 3 + 2, false}, {vr('S', 'H'), 16, false},
                                {vr('S', 'T'), 1024, true},        {vr('U', 'C'), 1U << 20, false},
                                {vr('U', 'R'), 1U << 20, true},    {vr('U', 'T'), 1U << 20, true},
                                {vr('U', 'N'), 1U << 20, true}};

bool is(Vr v, char a, char b) { return v == vr(a, b); }

bool digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}
unsigned number(std::string_view text) {
  unsigned value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool is_date(std::string_view text) {
  using namespace std::chrono;
  if (text.size() != 8 || !digits(text)) return false;
  return year_month_day{year(static_cast<int>(number(text.substr(0, 4)))),
                        month(number(text.substr(4, 2))), day(number(text.substr(6, 2)))}
      .ok();
}

/// HH, HHMM or HHMMSS with up to six digits of a fraction.
bool is_time(std::string_view text) {
  const std::size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  if (dot != std::string_view::npos) {
    const std::string_view fraction = text.substr(dot + 1);
    if (whole.size() != 6 || fraction.empty() || fraction.size() > 6 || !digits(fraction)) {
      return false;
    }
  }
  if (!digits(whole) || (whole.size() != 2 && whole.size() != 4 && whole.size() != 6)) return false;
  return number(whole.substr(0, 2)) < 24 && (whole.size() < 4 || number(whole.substr(2, 2)) < 60) &&
         (whole.size() < 6 || number(whole.substr(4, 2)) <= 60);
}

bool is_date_time(std::string_view text) {
  if (const std::size_t zone = text.find_first_of("+-"); zone != std::string_view::npos) {
    const std::string_view offset = text.substr(zone + 1);
    if (offset.size() != 4 || !digits(offset)) return false;
    text = text.substr(0, zone);
  }
  if (text.size() < 8) {
    return digits(text) &&
           (text.size() == 4 || (text.size() == 6 && is_date(std::string(text) + "01")));
  }
  return is_date(text.substr(0, 8)) && (text.size() == 8 || is_time(text.substr(8)));
}

bool is_age(std::string_view text) {
  return text.size() == 4 && digits(text.substr(0, 3)) &&
         std::string_view("DWMY").find(text[3]) != std::string_view::npos;
}

template <class T>
bool fits(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && stop == text.data() + text.size();
}

bool is_code_string(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '_';
  });
}

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::ranges::count_if(utf8, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string why_no_text(Vr v, std::string_view text) {
  const auto* const row = std::ranges::find(kTexts, v, &TextLimit::vr);
  if (row == std::end(kTexts)) return "can not be written as text";
  if (characters(text) > row->characters) {
    return "is longer than " + std::to_string(row->characters) + " characters";
  }
  if (!row->single && text.find('\\') != std::string_view::npos) return "has a backslash";
  const bool control = std::ranges::any_of(text, [&](char c) {
    const bool line = row->single && (c == '\n' || c == '\r' || c == '\t' || c == '\f');
    return static_cast<unsigned char>(c) < 0x20 && c != '\x1b' && !line;
  });
  return control ? "has a control character" : "";
}

template <class T>
void put(Bytes& out, T value, bool big_endian) {
  using Octets =
      std::conditional_t<sizeof(T) == 2, std::uint16_t,
                         std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;
  const auto octets = std::bit_cast<Octets>(value);
  big_endian ? ByteWriter(out).be(octets) : ByteWriter(out).le(octets);
}

template <class T>
bool put_number(Bytes& out, std::string_view text, bool big_endian) {
  if (!fits<T>(text)) return false;
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  put(out, value, big_endian);
  return true;
}

template <class T>
std::string print(const std::byte* p, bool big_endian) {
  using Octets =
      std::conditional_t<sizeof(T) == 2, std::uint16_t,
                         std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;
  const T value = std::bit_cast<T>(big_endian ? load_be<Octets>(p) : load_le<Octets>(p));
  std::array<char, 40> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

/// A binary number's VR: its type is given to `use`; whether it is one.
template <class Use>
bool with_number(Vr v, const Use& use) {
  if (is(v, 'U', 'S')) return use(std::uint16_t{});
  if (is(v, 'S', 'S')) return use(std::int16_t{});
  if (is(v, 'U', 'L')) return use(std::uint32_t{});
  if (is(v, 'S', 'L')) return use(std::int32_t{});
  if (is(v, 'U', 'V')) return use(std::uint64_t{});
  if (is(v, 'S', 'V')) return use(std::int64_t{});
  if (is(v, 'F', 'L')) return use(float{});
  if (is(v, 'F', 'D')) return use(double{});
  return false;
}

bool is_number(Vr v) {
  return with_number(v, [](auto) { return true; });
}

}  // namespace

bool is_charset_text(Vr v) {
  return is(v, 'S', 'H') || is(v, 'L', 'O') || is(v, 'S', 'T') || is(v, 'L', 'T') ||
         is(v, 'U', 'C') || is(v, 'U', 'T') || is(v, 'P', 'N') || is(v, 'U', 'N');
}

bool is_writable(Vr v) {
  const bool other = is(v, 'U', 'I') || is(v, 'D', 'A') || is(v, 'T', 'M') || is(v, 'D', 'T') ||
                     is(v, 'A', 'S') || is_number(v);
  return other || std::ranges::find(kTexts, v, &TextLimit::vr) != std::end(kTexts);
}

std::string why_no_value(Vr v, std::string_view text) {
  const auto unless = [](bool good, const char* why) { return std::string(good ? "" : why); };
  if (text.empty()) return {};
  if (is(v, 'U', 'I')) return unless(Uid::parse(text).ok(), "is no UID");
  if (is(v, 'D', 'A')) return unless(is_date(text), "is no date (YYYYMMDD)");
  if (is(v, 'T', 'M')) return unless(is_time(text), "is no time (HHMMSS)");
  if (is(v, 'D', 'T')) return unless(is_date_time(text), "is no date and time (YYYYMMDDHHMMSS)");
  if (is(v, 'A', 'S')) return unless(is_age(text), "is no age (such as 042Y)");
  bool fine = false;
  const auto check = [&](auto type) {
    fine = fits<decltype(type)>(text);
    return true;
  };
  if (with_number(v, check)) return unless(fine, "is no number that fits");
  if (is(v, 'I', 'S') && !fits<std::int32_t>(text)) return "is no whole number that fits";
  if (is(v, 'D', 'S') && !fits<double>(text)) return "is no number";
  if (is(v, 'C', 'S') && !is_code_string(text)) {
    return "has characters other than A-Z, 0-9, space and underscore";
  }
  return why_no_text(v, text);
}

Result<std::vector<std::string>> read_values(const DataSet& set, const Element& element,
                                             const std::string& charset) {
  if (element.sequence || !is_writable(element.vr)) return std::vector<std::string>{};
  const auto octets = set.value(element);
  if (!octets) return octets.error();
  std::vector<std::string> values;
  const auto print_all = [&](auto type) {
    for (ByteSpan rest = *octets; rest.size() >= sizeof type; rest = rest.subspan(sizeof type)) {
      values.push_back(print<decltype(type)>(rest.data(), set.big_endian()));
    }
    return true;
  };
  if (with_number(element.vr, print_all)) return values;
  return encoding::TextDecoder(as_bytes(charset)).values(*octets, element.vr);
}

Result<Bytes> write_values(const std::vector<std::string>& values, Vr v, const std::string& charset,
                           bool big_endian) {
  Bytes out;
  const encoding::CharacterSet set(is_charset_text(v) ? charset : "");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!why_no_value(v, values[i]).empty()) return Error{Errc::kInvalid, "value"};
    const auto number_of = [&](auto type) {
      return put_number<decltype(type)>(out, values[i], big_endian);
    };
    if (is_number(v)) {
      if (!values[i].empty() && !with_number(v, number_of)) return Error{Errc::kInvalid, "value"};
      continue;
    }
    if (i > 0) out.push_back(std::byte{'\\'});
    const auto octets = encode_text(values[i], set, v);
    if (!octets) return Error{Errc::kUnsupported, "character_set"};
    ByteWriter(out).put(*octets);
  }
  return out;
}

}  // namespace dr::rules
