#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/result.h"

namespace dr::admin {

/// A request's head as it came (RFC 9112 2.1), for what is decided before the HTTP library sees it:
/// the library decodes %XX in header values, and reads a body of any length where it is chunked or
/// unbounded. Views into `text`.
class HttpHead {
 public:
  /// `text` ends with the empty line. kMalformed for lines that end without CR and for folded ones:
  /// two readers could disagree where a header begins.
  static Result<HttpHead> parse(std::string_view text);

  std::string_view method() const { return method_; }
  std::string_view target() const { return target_; }
  /// All values of this header, without the white space around them. Names have no case.
  std::vector<std::string_view> values(std::string_view name) const;
  bool has(std::string_view name) const { return !values(name).empty(); }

 private:
  struct Header {
    std::string_view name;
    std::string_view value;
  };
  std::string_view method_, target_;
  std::vector<Header> headers_;
};

/// Renames the Range headers in `head`. A server may ignore them (RFC 9110 14.2); the library would
/// match them by a recursive regular expression.
void hide_ranges(std::string& text, std::size_t head_octets);

/// ASCII letters compared without their case.
bool same_ignoring_case(std::string_view a, std::string_view b);

}  // namespace dr::admin
