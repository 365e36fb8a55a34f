#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "router/admin/api.h"
#include "router/admin/http_head.h"
#include "router/admin/settings.h"

namespace dr::admin {

/// Who asks: a token's name, or why not.
struct Admission {
  std::optional<Response> refusal;
  std::string authenticate;  // WWW-Authenticate, with status 401 (RFC 6750 3)
  std::string operator_name;
};

/// Decides who may ask what, by token, role, peer, Host and Origin. Any thread.
class HttpGate {
 public:
  using LoginFailed = std::function<void(const std::string& peer, const std::string& detail)>;

  HttpGate(Settings settings, LoginFailed login_failed);
  /// The port that clients name in Host and Origin; before the first check.
  void set_port(std::uint16_t port) { settings_.port = port; }

  /// `peer`: numeric address. `path`: decoded.
  Admission check(const HttpHead& head, const std::string& path, const std::string& peer,
                  std::chrono::steady_clock::time_point now);

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Known {
    std::string name;
    Digest digest;
    std::set<std::string> roles;
  };

  Admission check_local(const HttpHead& head) const;
  Admission check_token(const HttpHead& head, const std::string& path, const std::string& peer,
                        std::chrono::steady_clock::time_point now);
  const Known* find(std::string_view token) const;
  void report(const std::string& peer, const std::string& detail,
              std::chrono::steady_clock::time_point now);

  Settings settings_;
  std::vector<Known> tokens_;
  LoginFailed login_failed_;

  // Each report becomes a record on disk: a flood of them must not fill it.
  std::mutex mutex_;
  std::chrono::steady_clock::time_point window_start_{};
  unsigned in_window_ = 0;
  std::uint64_t not_reported_ = 0;
};

/// 127.0.0.0/8, ::1, or the former mapped into IPv6.
bool is_loopback(const std::string& numeric_address);

}  // namespace dr::admin
