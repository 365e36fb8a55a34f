#include "router/admin/http_head.h"

#include <algorithm>

namespace dr::admin {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool every_line_ends_with_crlf(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n' && (at == 0 || text[at - 1] != '\r')) return false;
  }
  return text.find('\0') == std::string_view::npos;
}

}  // namespace

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

Result<HttpHead> HttpHead::parse(std::string_view text) {
  if (!every_line_ends_with_crlf(text)) return Error{Errc::kMalformed, "line without CR, or NUL"};
  HttpHead head;
  const auto request_line = text.substr(0, text.find("\r\n"));
  const auto space = request_line.find(' ');
  if (space == std::string_view::npos) return Error{Errc::kMalformed, "request line"};
  head.method_ = request_line.substr(0, space);
  const auto rest = request_line.substr(space + 1);
  head.target_ = rest.substr(0, rest.find(' '));
  text.remove_prefix(request_line.size() + 2);
  for (auto end = text.find("\r\n"); end != 0 && end != std::string_view::npos;
       end = text.find("\r\n")) {
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 2);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 ||
        line.substr(0, colon).find_first_of(" \t") != std::string_view::npos) {
      return Error{Errc::kMalformed, "header line"};
    }
    head.headers_.push_back({line.substr(0, colon), trim(line.substr(colon + 1))});
  }
  return head;
}

std::vector<std::string_view> HttpHead::values(std::string_view name) const {
  std::vector<std::string_view> found;
  for (const auto& header : headers_) {
    if (same_ignoring_case(header.name, name)) found.push_back(header.value);
  }
  return found;
}

void hide_ranges(std::string& text, std::size_t head_octets) {
  static constexpr std::string_view kName = "range:";
  for (auto at = text.find('\n'); at < head_octets; at = text.find('\n', at + 1)) {
    if (same_ignoring_case(std::string_view(text).substr(at + 1, kName.size()), kName)) {
      text[at + 1] = 'X';
    }
  }
}

}  // namespace dr::admin
