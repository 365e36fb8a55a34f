#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace dr::admin {

struct Token {
  std::string name;
  std::string token;
  std::set<std::string> roles;  // "read", "operate", "store"
};

/// `[admin]`. Without tokens it is bound to loopback only; the loader sees to it.
struct Settings {
  std::string address = "127.0.0.1";  // numeric
  std::uint16_t port = 8080;          // 0: the kernel chooses
  bool metrics_public = false;
  std::vector<Token> tokens;
};

}  // namespace dr::admin
