#include "db/mysql_url.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace dr::db::mysql {
namespace {

/// %41 is A (RFC 3986 2.1).
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned char octet = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), octet, 16);
    if (digits.size() != 2 || ec != std::errc() || end != digits.data() + 2) return std::nullopt;
    out += static_cast<char>(octet);
    i += 2;
  }
  return out;
}

/// The part before `mark`, which is taken off together with it; everything where there is no mark.
std::string_view take_until(std::string_view& text, char mark) {
  const std::size_t at = text.find(mark);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return head;
}

Error wrong(const std::string& what) { return {Errc::kInvalid, what}; }

Result<void> read_port(std::string_view digits, std::uint16_t& port) {
  if (digits.empty()) return {};
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (ec != std::errc() || end != digits.data() + digits.size() || port == 0) {
    return wrong("the port is a number from 1 to 65535");
  }
  return {};
}

Result<void> read_option(std::string_view option, Url& url) {
  const std::string_view name = take_until(option, '=');
  const auto value = decoded(option);
  if (!value) return wrong("an escape is %XX");
  if (name == "ssl-ca") {
    url.ssl_ca = *value;
  } else if (name == "ssl-cert") {
    url.ssl_cert = *value;
  } else if (name == "ssl-key") {
    url.ssl_key = *value;
  } else if (name == "ssl-mode") {
    constexpr std::array<std::string_view, 5> kModes{"disabled", "preferred", "required",
                                                     "verify-ca", "verify-identity"};
    if (std::ranges::find(kModes, *value) == kModes.end()) {
      return wrong("ssl-mode is disabled, preferred, required, verify-ca or verify-identity");
    }
    url.ssl_mode = *value;
  } else {
    return wrong("options are ssl-mode, ssl-ca, ssl-cert and ssl-key");
  }
  return {};
}

}  // namespace

Result<Url> parse_url(const std::string& text) {
  constexpr std::string_view kScheme = "mysql://";
  std::string_view rest = text;
  const std::size_t at = rest.find('@');
  if (!rest.starts_with(kScheme) || at == std::string_view::npos) {
    return wrong("expected mysql://USER@HOST/DATABASE");
  }
  Url url;
  std::string_view user = rest.substr(kScheme.size(), at - kScheme.size());
  rest.remove_prefix(at + 1);
  const std::string_view name = take_until(user, ':');
  std::string_view place = take_until(rest, '/');
  const std::string_view database = take_until(rest, '?');
  const auto user_name = decoded(name);
  const auto password = decoded(user);
  const auto schema = decoded(database);
  if (!user_name || !password || !schema) return wrong("an escape is %XX");
  url.user = *user_name;
  url.password = *password;
  url.database = *schema;
  url.host = take_until(place, ':');
  if (auto port = read_port(place, url.port); !port) return std::move(port).error();
  while (!rest.empty()) {
    if (auto read = read_option(take_until(rest, '&'), url); !read) return std::move(read).error();
  }
  if (url.user.empty() || url.host.empty() || url.database.empty()) {
    return wrong("expected mysql://USER@HOST/DATABASE");
  }
  if (url.ssl_mode.empty()) url.ssl_mode = url.ssl_ca.empty() ? "preferred" : "verify-identity";
  if (url.ssl_mode.starts_with("verify") && url.ssl_ca.empty()) {
    return wrong("ssl-mode " + url.ssl_mode + " needs ssl-ca");
  }
  return url;
}

}  // namespace dr::db::mysql
