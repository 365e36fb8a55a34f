#include "router/admin/queue_query.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>

#include "dimse/base/log.h"

namespace dr::admin {
namespace {

using journal::DeliveryState;

// States that are not final: only these are in a queue.
constexpr std::array kStates = {DeliveryState::kWaiting, DeliveryState::kSending,
                                DeliveryState::kUnknown, DeliveryState::kHeld,
                                DeliveryState::kDamaged};
constexpr std::size_t kMostItems = 1000;

/// Levenshtein's distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// "no destination "orthnac"; did you mean "orthanc"?"
Error unknown(std::string_view what, std::string_view word, const std::vector<std::string>& known) {
  auto text = "no " + std::string(what) + " \"" + log::escape(word, 64) + "\"";
  const auto near = std::ranges::min_element(known, {}, [&](const std::string& candidate) {
    return distance(word.substr(0, 64), candidate);
  });
  if (near != known.end() && distance(word.substr(0, 64), *near) <= near->size() / 2) {
    text += "; did you mean \"" + *near + "\"?";
  }
  return {Errc::kInvalid, text};
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stopped != end) return {};
  return number;
}

std::optional<std::string> parse_hex(std::string_view text) {
  if (text.size() % 2 != 0) return {};
  std::string octets;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned char octet = 0;
    const auto* end = text.data() + i + 2;
    const auto [stopped, error] = std::from_chars(text.data() + i, end, octet, 16);
    if (error != std::errc{} || stopped != end) return {};
    octets.push_back(static_cast<char>(octet));
  }
  return octets;
}

std::optional<delivery::QueuePosition> parse_position(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return {};
  const auto sequence = parse_number(text.substr(0, dash));
  auto destination = parse_hex(text.substr(dash + 1));
  if (!sequence || !destination) return {};
  return delivery::QueuePosition{std::move(*destination), journal::Sequence{*sequence}};
}

Result<std::optional<DeliveryState>> parse_state(const std::string& text) {
  if (text.empty()) return std::optional<DeliveryState>{};
  std::vector<std::string> names;
  for (const auto state : kStates) {
    if (text == journal::name(state)) return std::optional(state);
    names.emplace_back(journal::name(state));
  }
  return unknown("state in a queue is", text, names);
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::ranges::find(all, one) != all.end();
}

}  // namespace

Result<QueueQuery> parse_queue_query(const std::map<std::string, std::string>& query,
                                     const std::vector<std::string>& destinations) {
  const auto value = [&](const char* name) {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  };
  QueueQuery parsed;
  parsed.filter.destination = value("destination");
  if (!parsed.filter.destination.empty() && !contains(destinations, parsed.filter.destination)) {
    return unknown("destination", parsed.filter.destination, destinations);
  }
  const auto state = parse_state(value("state"));
  if (!state) return state.error();
  parsed.filter.state = *state;
  using Field = std::optional<Uid> delivery::QueueFilter::*;
  static constexpr std::pair<const char*, Field> kUids[] = {
      {"object", &delivery::QueueFilter::object},
      {"series", &delivery::QueueFilter::series},
      {"study", &delivery::QueueFilter::study}};
  for (const auto& [name, field] : kUids) {
    const auto text = value(name);
    if (text.empty()) continue;
    auto uid = Uid::parse(text);
    if (!uid) {
      return Error{Errc::kInvalid,
                   std::string(name) + " is not a UID: \"" + log::escape(text, 80) + "\""};
    }
    parsed.filter.*field = *uid;
  }
  if (const auto limit = value("limit"); !limit.empty()) {
    const auto number = parse_number(limit);
    if (!number || *number < 1 || *number > kMostItems) {
      return Error{Errc::kInvalid, "limit is a number from 1 to " + std::to_string(kMostItems)};
    }
    parsed.limit = *number;
  }
  if (const auto after = value("after"); !after.empty()) {
    parsed.after = parse_position(after);
    if (!parsed.after || !contains(destinations, parsed.after->destination)) {
      return Error{Errc::kInvalid, "after is not what an earlier answer gave as next"};
    }
  }
  return parsed;
}

std::string position_text(const delivery::QueuePosition& position) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  auto text = std::to_string(journal::value(position.sequence)) + "-";
  for (const char c : position.destination) {
    const auto octet = static_cast<unsigned char>(c);
    text += kDigits[octet >> 4U];
    text += kDigits[octet & 15U];
  }
  return text;
}

Result<void> check_names(const std::map<std::string, std::string>& query,
                         const std::vector<std::string>& known) {
  for (const auto& [name, value] : query) {
    if (!contains(known, name)) return unknown("query parameter", name, known);
  }
  return {};
}

}  // namespace dr::admin
