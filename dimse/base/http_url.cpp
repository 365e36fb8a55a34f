#include "dimse/base/http_url.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "dimse/base/address_range.h"

namespace dr {
namespace {

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && rest == text.data() + text.size() && port != 0;
}

}  // namespace

Result<HttpUrl> HttpUrl::parse(std::string_view text) {
  const auto bad = [](std::string why) { return Error{Errc::kInvalid, std::move(why)}; };
  std::size_t scheme = 0;
  for (const std::string_view known : {"http://", "https://"}) {
    if (text.starts_with(known)) scheme = known.size();
  }
  if (scheme == 0) return bad("does not begin with http:// or https://");
  if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; })) {
    return bad("has a character that a URL can not hold");
  }
  if (text.find('#') != std::string_view::npos) return bad("has a fragment");
  const std::size_t end = std::min(text.find_first_of("/?", scheme), text.size());
  const std::string_view authority = text.substr(scheme, end - scheme);
  if (authority.find('@') != std::string_view::npos) return bad("has a user in it");
  HttpUrl url;
  url.origin = text.substr(0, end);
  const bool v6 = authority.starts_with('[');
  const std::size_t host =
      v6 ? authority.find(']') : std::min(authority.find(':'), authority.size());
  if (host == std::string_view::npos) return bad("has a bracket that is not closed");
  url.host = v6 ? authority.substr(1, host - 1) : authority.substr(0, host);
  if (url.host.empty()) return bad("has no host");
  const std::string_view port = authority.substr(v6 ? host + 1 : host);
  if (!port.empty() && !(port.front() == ':' && is_port(port.substr(1)))) {
    return bad("has no number from 1 to 65535 as its port");
  }
  const std::size_t query = std::min(text.find('?', end), text.size());
  url.path = text.substr(end, query - end);
  if (query < text.size()) url.query = text.substr(query + 1);
  return url;
}

bool HttpUrl::on_this_machine() const {
  static const AddressRange kLoopback = *AddressRange::parse("127.0.0.0/8");
  return host == "localhost" || host == "::1" || kLoopback.contains(host);
}

}  // namespace dr
