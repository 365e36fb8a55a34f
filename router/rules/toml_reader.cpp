#define TOML_IMPLEMENTATION  // the one place where toml++ is compiled

#include "router/rules/toml_reader.h"

#include <algorithm>
#include <fstream>

#include "router/rules/suggest.h"
#include "router/rules/units.h"

namespace dr::rules {

void Findings::error(const toml::source_region& at, std::string message) {
  diagnostics_.push_back(
      {Diagnostic::Severity::kError, file_, at.begin.line, at.begin.column, std::move(message)});
}

void Findings::warning(const toml::source_region& at, std::string message) {
  diagnostics_.push_back(
      {Diagnostic::Severity::kWarning, file_, at.begin.line, at.begin.column, std::move(message)});
}

bool Findings::failed() const {
  return std::ranges::any_of(
      diagnostics_, [](const Diagnostic& d) { return d.severity == Diagnostic::Severity::kError; });
}

std::optional<toml::table> read_toml(const std::filesystem::path& path, Findings& findings,
                                     std::size_t limit) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec)) {
    findings.error({}, ec ? "can not be read: " + ec.message() : "is not a file");
    return std::nullopt;
  }
  std::ifstream in(path, std::ios::binary);
  std::string text(limit + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || !in.eof()) {
    findings.error(
        {}, in.bad() ? "can not be read" : "is longer than " + std::to_string(limit) + " octets");
    return std::nullopt;
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  toml::parse_result parsed = toml::parse(text, findings.file());
  if (!parsed) {
    findings.error(parsed.error().source(), std::string(parsed.error().description()));
    return std::nullopt;
  }
  return std::move(parsed).table();
}

const toml::node* TableReader::known(std::string_view key) {
  known_.emplace(key);
  return table_.get(key);
}

toml::source_region TableReader::at(std::string_view key) const {
  const toml::node* const node = table_.get(key);
  return node != nullptr ? node->source() : table_.source();
}

std::optional<std::string> TableReader::text(std::string_view key) {
  const toml::node* const node = known(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_string()) {
    error(key, "'" + std::string(key) + "' must be a text in quotes");
    return std::nullopt;
  }
  auto expanded = expand(node->as_string()->get());
  if (!expanded) {
    error(key, expanded.error().detail);
    return std::nullopt;
  }
  return *std::move(expanded);
}

std::optional<std::uint64_t> TableReader::integer(std::string_view key, std::uint64_t least,
                                                  std::uint64_t most) {
  const toml::node* const node = known(key);
  if (node == nullptr) return std::nullopt;
  const auto number = node->value_exact<std::int64_t>();
  if (!number || *number < 0 || static_cast<std::uint64_t>(*number) < least ||
      static_cast<std::uint64_t>(*number) > most) {
    error(key, "'" + std::string(key) + "' must be a whole number from " + std::to_string(least) +
                   " to " + std::to_string(most));
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(*number);
}

void TableReader::read(std::string_view key, std::string& into) {
  if (auto value = text(key)) into = *std::move(value);
}

bool TableReader::require(std::string_view key, std::string& into) {
  const bool there = has(key);
  const auto value = text(key);
  if (value && !value->empty()) {
    into = *value;
    return true;
  }
  if (!there || value) error(key, title_ + " needs '" + std::string(key) + "'");
  return false;
}

void TableReader::read(std::string_view key, bool& into) {
  const toml::node* const node = known(key);
  if (node == nullptr) return;
  if (const auto value = node->value_exact<bool>()) {
    into = *value;
  } else {
    error(key, "'" + std::string(key) + "' must be true or false");
  }
}

void TableReader::read(std::string_view key, double& into, double least, double most) {
  const toml::node* const node = known(key);
  if (node == nullptr) return;
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (value && *value >= least && *value <= most) {
    into = *value;
  } else {
    error(key, "'" + std::string(key) + "' must be a number from " +
                   std::to_string(least).substr(0, 4) + " to " + std::to_string(most).substr(0, 6));
  }
}

void TableReader::read(std::string_view key, std::chrono::milliseconds& into,
                       std::chrono::milliseconds least) {
  const auto value = text(key);
  if (!value) return;
  const auto duration = parse_duration(*value);
  if (!duration) return error(key, "'" + std::string(key) + "': " + duration.error().detail);
  if (*duration < least) {
    return error(
        key, "'" + std::string(key) + "' must be at least " + std::to_string(least.count()) + "ms");
  }
  into = *duration;
}

void TableReader::read_size(std::string_view key, std::uint64_t& into, std::uint64_t least) {
  const auto value = text(key);
  if (!value) return;
  const auto size = parse_size(*value);
  if (!size) return error(key, "'" + std::string(key) + "': " + size.error().detail);
  if (*size < least) {
    return error(key, "'" + std::string(key) + "' must be at least " + std::to_string(least) + "B");
  }
  into = *size;
}

void TableReader::read(std::string_view key, std::vector<std::string>& into) {
  const toml::node* const node = known(key);
  if (node == nullptr) return;
  const toml::array* const array = node->as_array();
  if (array == nullptr) return error(key, "'" + std::string(key) + "' must be a list of texts");
  std::vector<std::string> values;
  for (const toml::node& element : *array) {
    const auto* const value = element.as_string();
    if (value == nullptr || value->get().empty()) {
      findings_.error(element.source(), "'" + std::string(key) + "' must be a list of texts");
      return;
    }
    values.push_back(value->get());
  }
  into = std::move(values);
}

const toml::table* TableReader::table(std::string_view key) {
  const toml::node* const node = known(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) error(key, "'" + std::string(key) + "' must be a table");
  return node->as_table();
}

std::vector<const toml::table*> TableReader::tables(std::string_view key) {
  const toml::node* const node = known(key);
  if (node == nullptr) return {};
  std::vector<const toml::table*> found;
  const toml::array* const array = node->as_array();
  if (array != nullptr) {
    for (const toml::node& element : *array) {
      if (const toml::table* const table = element.as_table()) found.push_back(table);
    }
  }
  if (array == nullptr || found.size() != array->size()) {
    error(key, "'" + std::string(key) + "' must be written as [[" + std::string(key) + "]]");
  }
  return found;
}

void TableReader::unsupported(std::string_view key) {
  if (known(key) != nullptr) {
    error(key, "'" + std::string(key) + "' is not supported by this version yet");
  }
}

void TableReader::finish() {
  const std::vector<std::string_view> candidates(known_.begin(), known_.end());
  for (const auto& [key, node] : table_) {
    if (known_.contains(key.str())) continue;
    findings_.error(key.source(), "unknown key '" + std::string(key.str()) + "' in " + title_ +
                                      suggestion(key.str(), candidates));
  }
}

}  // namespace dr::rules
