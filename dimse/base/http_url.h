#pragma once

#include <string>
#include <string_view>

#include "dimse/base/result.h"

namespace dr {

/// The URL of an HTTP server or of something on it, taken apart (RFC 3986 3).
struct HttpUrl {
  std::string origin;  // "https://[::1]:8443"
  std::string host;    // without brackets
  std::string path;    // "/orthanc/", or empty
  std::string query;   // behind the "?"

  /// http:// or https://, a host, perhaps a port, a path and a query. kInvalid, with the reason and
  /// nothing of the text, which may hold a secret: user information, a fragment, characters that
  /// a URL can not hold.
  static Result<HttpUrl> parse(std::string_view text);

  bool encrypted() const { return origin.starts_with("https:"); }
  /// By the loopback interface.
  bool on_this_machine() const;
};

}  // namespace dr
