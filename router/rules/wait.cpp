#include "router/rules/wait.h"

#include <array>
#include <optional>

#include "router/rules/field_name.h"
#include "router/rules/suggest.h"
#include "router/rules/units.h"

namespace dr::rules {
namespace {

using std::chrono::microseconds;

constexpr std::array<std::string_view, 5> kWaitKeys = {"after", "quiet", "at_most", "late",
                                                       "hold_until"};
constexpr std::string_view kLate[] = {"send", "again", "hold"};  // by Wait::Late
constexpr microseconds kQuiet = std::chrono::seconds(60);
constexpr microseconds kLongest = std::chrono::hours(24 * 30);

/// The place of the key's text in `words`, which nothing but one of them may be.
std::optional<std::size_t> read_choice(const toml::table& rule, std::string_view key,
                                       std::span<const std::string_view> words,
                                       Findings& findings) {
  const toml::node* const node = rule.get(key);
  if (node == nullptr) return std::nullopt;
  const auto text = node->value_exact<std::string_view>();
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (text == words[i]) return i;
  }
  std::string all;
  for (const std::string_view word : words) {
    all += (all.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  }
  findings.error(node->source(), in_quotes(key) + " must be " +
                                     (words.size() > 1 ? "one of " : "") + all +
                                     suggestion(text.value_or(""), words));
  return std::nullopt;
}

std::optional<microseconds> read_span(const toml::table& rule, std::string_view key,
                                      Findings& findings) {
  const toml::node* const node = rule.get(key);
  if (node == nullptr) return std::nullopt;
  const auto text = node->value_exact<std::string_view>();
  const auto parsed = text ? parse_duration(*text)
                           : Result<std::chrono::milliseconds>(
                                 Error{Errc::kInvalid, "expected a duration such as \"60s\""});
  if (!parsed) {
    findings.error(node->source(), in_quotes(key) + ": " + parsed.error().detail);
  } else if (parsed->count() == 0 || *parsed > kLongest) {
    findings.error(node->source(),
                   in_quotes(key) + " must be more than nothing and at most \"30d\"");
  } else {
    return *parsed;
  }
  return std::nullopt;
}

/// Keys that mean nothing beside this one.
void refuse(const toml::table& rule, std::span<const std::string_view> keys, std::string_view why,
            Findings& findings) {
  for (const std::string_view key : keys) {
    if (const toml::node* const node = rule.get(key)) {
      findings.error(node->source(), in_quotes(key) + std::string(why));
    }
  }
}

Wait read_after(const toml::table& rule, Wait::Until until, Findings& findings) {
  Wait wait;
  wait.until = until;
  wait.quiet = read_span(rule, "quiet", findings).value_or(kQuiet);
  wait.at_most = read_span(rule, "at_most", findings).value_or(microseconds(0));
  if (const auto late = read_choice(rule, "late", kLate, findings)) {
    wait.late = static_cast<Wait::Late>(*late);
  }
  const toml::node* const at_most = rule.get("at_most");
  if (at_most != nullptr && wait.at_most.count() > 0 && wait.at_most < wait.quiet) {
    findings.error(at_most->source(), "'at_most' is less than 'quiet'");
  }
  const toml::node& after = *rule.get("after");
  if (at_most == nullptr && wait.late == Wait::Late::kAgain) {
    findings.error(after.source(),
                   "'late = \"again\"' needs 'at_most': so long is kept what may be sent again");
  } else if (at_most == nullptr) {
    findings.warning(after.source(),
                     "without 'at_most' the wait is unbounded: objects that keep coming "
                     "hold back all of them");
  }
  return wait;
}

Wait read_hold(const toml::table& rule, Findings& findings) {
  constexpr std::string_view kOther[] = {"quiet", "late"};
  refuse(rule, kOther, " belongs to 'after', not to 'hold_until'", findings);
  Wait wait;
  wait.until = Wait::Until::kReferences;
  wait.at_most = read_span(rule, "at_most", findings).value_or(microseconds(0));
  if (!rule.contains("at_most")) {
    findings.error(rule.get("hold_until")->source(),
                   "'hold_until' needs 'at_most': what is referred to may never come");
  }
  return wait;
}

/// In the largest unit that it is a whole number of.
std::string duration_text(microseconds time) {
  using namespace std::chrono_literals;
  constexpr std::pair<microseconds, const char*> kUnits[] = {
      {24h, "d"}, {1h, "h"}, {1min, "m"}, {1s, "s"}};
  for (const auto& [unit, name] : kUnits) {
    if (time % unit == 0us) return std::to_string(time / unit) + name;
  }
  return std::to_string(time / 1ms) + "ms";
}

}  // namespace

std::span<const std::string_view> wait_keys() { return kWaitKeys; }

Wait read_wait(const toml::table& rule, Findings& findings) {
  constexpr std::string_view kAfter[] = {"series", "study"};
  constexpr std::string_view kHold[] = {"references"};
  constexpr std::string_view kDetails[] = {"quiet", "at_most", "late"};
  const toml::node* const after = rule.get("after");
  const toml::node* const hold = rule.get("hold_until");
  if (after == nullptr && hold == nullptr) {
    refuse(rule, kDetails, " says nothing without 'after' or 'hold_until'", findings);
    return {};
  }
  if (!rule.contains("route")) {
    findings.error((after != nullptr ? after : hold)->source(),
                   "nothing can wait: the rule has no 'route'");
  }
  if (after != nullptr && hold != nullptr) {
    findings.error(hold->source(), "a rule has 'after' or 'hold_until', not both");
    return {};
  }
  if (after == nullptr) {
    const bool known = read_choice(rule, "hold_until", kHold, findings).has_value();
    const Wait wait = read_hold(rule, findings);
    return known ? wait : Wait{};
  }
  const auto whole = read_choice(rule, "after", kAfter, findings);
  const auto until = whole == std::size_t{1} ? Wait::Until::kStudy : Wait::Until::kSeries;
  const Wait wait = read_after(rule, until, findings);
  return whole ? wait : Wait{};
}

std::string canonical_wait(const Wait& wait) {
  std::string text;
  const auto line = [&text](const char* key, std::string_view value) {
    text += std::string(key) + " = \"" + std::string(value) + "\"\n";
  };
  if (wait.until == Wait::Until::kNothing) return text;
  if (wait.until == Wait::Until::kReferences) {
    line("hold_until", "references");
  } else {
    line("after", wait.until == Wait::Until::kStudy ? "study" : "series");
    if (wait.quiet != kQuiet) line("quiet", duration_text(wait.quiet));
  }
  if (wait.at_most != microseconds(0)) line("at_most", duration_text(wait.at_most));
  if (wait.late != Wait::Late::kSend) line("late", kLate[static_cast<std::size_t>(wait.late)]);
  return text;
}

}  // namespace dr::rules
