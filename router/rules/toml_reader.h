#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "dimse/base/result.h"
#include "router/rules/rule_set.h"

namespace dr::rules {

/// Collects what is wrong with one TOML file, each with its place.
class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}

  void error(const toml::source_region& at, std::string message);
  void warning(const toml::source_region& at, std::string message);
  bool failed() const;
  std::vector<Diagnostic> take() { return std::move(diagnostics_); }
  const std::string& file() const noexcept { return file_; }

 private:
  std::string file_;
  std::vector<Diagnostic> diagnostics_;
};

/// Reads and parses a file of at most `limit` octets; a syntax error becomes a finding.
std::optional<toml::table> read_toml(const std::filesystem::path& path, Findings& findings,
                                     std::size_t limit = 1U << 20);

/// One table, read key by key. What is of the wrong type, outside its range, or never asked for (an
/// unknown key, with a suggestion) becomes a finding at its place; the reader then goes on, so that
/// one `check` shows every error. References must outlive it.
class TableReader {
 public:
  /// `title` names the table in messages: "[limits]".
  TableReader(const toml::table& table, std::string title, Findings& findings)
      : table_(table), title_(std::move(title)), findings_(findings) {}

  bool has(std::string_view key) const { return table_.contains(key); }
  /// Each leaves `into` alone when the key is absent or wrong.
  void read(std::string_view key, std::string& into);  // ${NAME} expanded
  void read(std::string_view key, bool& into);
  void read(std::string_view key, double& into, double least, double most);
  void read(std::string_view key, std::chrono::milliseconds& into,
            std::chrono::milliseconds least = std::chrono::milliseconds(1));
  void read_size(std::string_view key, std::uint64_t& into, std::uint64_t least = 0);
  void read(std::string_view key, std::vector<std::string>& into);
  template <std::unsigned_integral T>
  void read(std::string_view key, T& into, std::uint64_t least, std::uint64_t most) {
    if (const auto number = integer(key, least, most)) into = static_cast<T>(*number);
  }
  /// The same, and a finding when it is absent or empty. False: nothing was read.
  bool require(std::string_view key, std::string& into);

  /// A table, inline or not; nullptr when absent or wrong. Not read any further here.
  const toml::table* table(std::string_view key);
  /// The tables of an array of tables ([[listener]]).
  std::vector<const toml::table*> tables(std::string_view key);
  /// Known, but built by a later version: a finding at its place when it is there.
  void unsupported(std::string_view key);

  /// The place of a key's value; the table's own when it is absent.
  toml::source_region at(std::string_view key) const;
  void error(std::string_view key, std::string message) {
    findings_.error(at(key), std::move(message));
  }
  void warning(std::string_view key, std::string message) {
    findings_.warning(at(key), std::move(message));
  }
  Findings& findings() { return findings_; }
  const toml::table& raw() const { return table_; }

  /// Every key that no call above has named is unknown.
  void finish();

 private:
  const toml::node* known(std::string_view key);
  std::optional<std::uint64_t> integer(std::string_view key, std::uint64_t least,
                                       std::uint64_t most);
  std::optional<std::string> text(std::string_view key);

  const toml::table& table_;
  std::string title_;
  Findings& findings_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace dr::rules
