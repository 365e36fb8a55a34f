#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "dimse/base/clock.h"
#include "dimse/base/result.h"
#include "router/config.h"

namespace dr {

/// Where a running node listens, for people.
struct Endpoint {
  std::string name;  // a listener's name, or "admin"
  std::string address;
  std::uint16_t port = 0;
};

/// The running node: journal, listeners, rules, delivery, audit and admin interface, wired
/// together. Starts in its constructor's caller's thread, then runs on threads of its own.
class Node {
 public:
  /// Starts everything. An Error names what could not be opened (spool, port, …).
  static Result<std::unique_ptr<Node>> start(Config config,
                                             std::shared_ptr<const rules::RuleSet> rules,
                                             const Clock& clock);
  /// stop().
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  std::vector<Endpoint> endpoints() const;
  /// Reads the rule folder again; what does not validate changes nothing. Logs the outcome, and
  /// records who asked for it.
  void reload_rules(const std::string& who);
  /// Two phases (SIGTERM): accepts nothing more and lets what is in flight end, then aborts the
  /// rest and closes the journal.
  void stop();

 private:
  class Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// SPOOL/admin.sock: where the command line finds the running node.
std::filesystem::path admin_socket(const Config& config);

}  // namespace dr
