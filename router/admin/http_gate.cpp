#include "router/admin/http_gate.h"

#include <string_view>

#include <asio/ip/address.hpp>
#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace dr::admin {
namespace {

constexpr std::chrono::seconds kWindow{10};
constexpr unsigned kReportsInWindow = 20;
constexpr std::string_view kRealm = "Bearer realm=\"dicom-router\"";

std::array<unsigned char, 32> sha256(std::string_view text) {
  std::array<unsigned char, 32> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

Admission refuse(int status, const std::string& code, const std::string& message) {
  return {error_response(status, code, message), {}, {}};
}

/// "localhost", "127.0.0.1:8080", "[::1]:8080": the loopback, with this port or, where it may be
/// left out, without one.
bool names_loopback(std::string_view host, std::uint16_t port, bool port_may_miss) {
  std::string_view name = host;
  std::string_view digits;
  const auto bracket = host.starts_with('[') ? host.find(']') : 0;
  if (bracket == std::string_view::npos) return false;
  if (const auto colon = host.find(':', bracket); colon != std::string_view::npos) {
    name = host.substr(0, colon);
    digits = host.substr(colon + 1);
    if (digits != std::to_string(port)) return false;
  } else if (!port_may_miss) {
    return false;
  }
  if (same_ignoring_case(name, "localhost")) return true;
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  return is_loopback(std::string(name));
}

bool needs_no_token(const std::string& path, const std::string& peer, bool metrics_public) {
  if (path == "/healthz" || path == "/readyz") return true;
  return path == "/metrics" && (metrics_public || is_loopback(peer));
}

/// A POST because it brings an object, not because it changes anything.
bool only_asks(const std::string& path) { return path == "/api/v1/explain"; }

}  // namespace

bool is_loopback(const std::string& numeric_address) {
  asio::error_code failed;
  auto address = asio::ip::make_address(numeric_address, failed);
  if (failed) return false;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

HttpGate::HttpGate(Settings settings, LoginFailed login_failed)
    : settings_(std::move(settings)), login_failed_(std::move(login_failed)) {
  for (const auto& token : settings_.tokens) {
    tokens_.push_back({token.name, sha256(token.token), token.roles});
  }
}

Admission HttpGate::check(const HttpHead& head, const std::string& path, const std::string& peer,
                          std::chrono::steady_clock::time_point now) {
  if (tokens_.empty()) return check_local(head);
  if (needs_no_token(path, peer, settings_.metrics_public)) return {};
  return check_token(head, path, peer, now);
}

Admission HttpGate::check_local(const HttpHead& head) const {
  const auto hosts = head.values("Host");
  if (hosts.size() != 1 || !names_loopback(hosts[0], settings_.port, true)) {
    return refuse(403, "forbidden_host",
                  "without tokens the Host header must name the loopback and this port");
  }
  static constexpr std::string_view kScheme = "http://";
  for (auto origin : head.values("Origin")) {
    const bool http = origin.starts_with(kScheme);
    if (http) origin.remove_prefix(kScheme.size());
    if (!http || !names_loopback(origin, settings_.port, settings_.port == 80)) {
      return refuse(403, "forbidden_origin", "a page of another origin may not ask");
    }
  }
  return {};
}

Admission HttpGate::check_token(const HttpHead& head, const std::string& path,
                                const std::string& peer,
                                std::chrono::steady_clock::time_point now) {
  const auto given = head.values("Authorization");
  if (given.empty()) {
    auto refused = refuse(401, "unauthorized", "a bearer token is needed");
    refused.authenticate = kRealm;
    return refused;
  }
  static constexpr std::string_view kBearer = "Bearer ";
  const Known* known = nullptr;
  if (given.size() == 1 && same_ignoring_case(given[0].substr(0, kBearer.size()), kBearer)) {
    known = find(given[0].substr(kBearer.size()));
  }
  if (known == nullptr) {
    report(peer, "http token unknown or malformed", now);
    auto refused = refuse(401, "unauthorized", "the bearer token is not known");
    refused.authenticate = std::string(kRealm) + ", error=\"invalid_token\"";
    return refused;
  }
  const bool reads = head.method() == "GET" || head.method() == "HEAD" || only_asks(path);
  const char* role = reads ? "read" : "operate";
  if (!known->roles.contains(role)) {
    report(peer, std::string("http token without role ") + role, now);
    return refuse(403, "forbidden", std::string("the token does not have the role ") + role);
  }
  return {{}, {}, known->name};
}

/// Looks at all tokens, whichever fits, and at digests: how long that takes says neither which
/// octets of a guess are right nor how long a token is.
const HttpGate::Known* HttpGate::find(std::string_view token) const {
  const auto digest = sha256(token);
  const Known* found = nullptr;
  for (const auto& known : tokens_) {
    if (CRYPTO_memcmp(known.digest.data(), digest.data(), digest.size()) == 0) found = &known;
  }
  return found;
}

void HttpGate::report(const std::string& peer, const std::string& detail,
                      std::chrono::steady_clock::time_point now) {
  std::string text = detail;
  {
    const std::lock_guard lock(mutex_);
    if (now - window_start_ >= kWindow) {
      window_start_ = now;
      in_window_ = 0;
    }
    if (in_window_ == kReportsInWindow) {
      ++not_reported_;
      return;
    }
    ++in_window_;
    if (not_reported_ > 0) text += ", not_reported=" + std::to_string(not_reported_);
    not_reported_ = 0;
  }
  if (login_failed_) login_failed_(peer, text);
}

}  // namespace dr::admin
