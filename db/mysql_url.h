#pragma once

#include <cstdint>
#include <string>

#include "dimse/base/result.h"

namespace dr::db::mysql {

/// mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?NAME=VALUE&…] (RFC 3986), taken apart.
struct Url {
  std::string user, password, host, database;
  std::uint16_t port = 3306;
  /// "disabled", "preferred" (as it comes), "required", "verify-ca" or "verify-identity"; given a
  /// CA, the last, else "preferred".
  std::string ssl_mode;
  std::string ssl_ca, ssl_cert, ssl_key;  // files
};

/// kInvalid says what is wrong, and never repeats the password.
Result<Url> parse_url(const std::string& text);

}  // namespace dr::db::mysql
