#include "router/rules/toml_shape.h"

namespace dr::rules {
namespace {

constexpr int kMaxBrackets = 64;
constexpr int kMaxDots = 31;

/// Steps over strings and comments, of which no bracket or dot counts.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ >= text_.size(); }
  char next() {
    const char c = text_[at_++];
    if (c == '\n') {
      ++place_.line;
      place_.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
      ++place_.column;
    }
    return c;
  }
  Place place() const { return place_; }

  void skip_comment() {
    while (!at_end() && text_[at_] != '\n') next();
  }
  /// Behind the opening `quote`, to behind the closing one.
  void skip_string(char quote) {
    const bool several_lines =
        text_.substr(at_).starts_with(std::string_view(quote == '"' ? "\"\"" : "''"));
    if (several_lines) {
      next();
      next();
    }
    int closing = 0;
    while (!at_end()) {
      const char c = next();
      if (!several_lines && (c == quote || c == '\n')) return;
      closing = c == quote ? closing + 1 : 0;
      if (closing == 3) return;
      if (c == '\\' && quote == '"' && !at_end()) next();
    }
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  Place place_;
};

}  // namespace

std::optional<Place> too_deep(std::string_view toml) {
  Reader reader(toml);
  int brackets = 0;
  int dots = 0;
  while (!reader.at_end()) {
    const Place place = reader.place();
    const char c = reader.next();
    if (c == '#') reader.skip_comment();
    if (c == '"' || c == '\'') reader.skip_string(c);
    if (c == '.') ++dots;
    if (c == '[' || c == '{') ++brackets;
    if ((c == ']' || c == '}') && brackets > 0) --brackets;
    if (c == '=' || c == ',' || c == '\n' || c == '[' || c == '{') dots = 0;
    if (brackets > kMaxBrackets || dots > kMaxDots) return place;
  }
  return std::nullopt;
}

}  // namespace dr::rules
