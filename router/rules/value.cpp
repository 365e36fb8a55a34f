#include "router/rules/value.h"

#include <algorithm>
#include <array>
#include <limits>

#include <re2/re2.h>

#include "dimse/base/uid.h"
#include "dimse/encoding/transfer_syntax.h"
#include "router/rules/sop_class.h"
#include "router/rules/suggest.h"
#include "router/rules/toml_text.h"
#include "router/rules/vr_limits.h"
#include "router/rules/window.h"

namespace dr::rules {
namespace {

constexpr std::size_t kMaxText = 1024;
constexpr std::int64_t kMaxRegexMemory = 1 << 20;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string_view without_spaces(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::optional<Scale> scale_of(Kind kind) {
  switch (kind) {
    case Kind::kNumber:
    case Kind::kUnknown:
      return Scale::kNumber;
    case Kind::kDate:
      return Scale::kDate;
    case Kind::kTime:
      return Scale::kTime;
    case Kind::kDateTime:
      return Scale::kDateTime;
    case Kind::kAge:
      return Scale::kAge;
    default:
      return std::nullopt;
  }
}

std::string_view forms_of(Scale scale) {
  switch (scale) {
    case Scale::kNumber:
      return "a number: write \"1.5\", \"< 1.5\", \"1..5\" or a glob";
    case Scale::kDate:
      return "a date: write \"20240131\", \"20240101-20241231\", \"< 20240131\" or a glob";
    case Scale::kTime:
      return "a time: write \"0830\", \"0800-1200\", \"< 083000\" or a glob";
    case Scale::kDateTime:
      return "a date and time: write \"20240131\", \"202401310800-202401311200\", \"< 2024\" or a "
             "glob";
    case Scale::kAge:
      return "an age: write \"018Y\", \"1..5\" (years), \"< 18\", \"< 6M\" or a glob";
    case Scale::kWeekTime:
      break;
  }
  return "";
}

bool looks_like_comparison(std::string_view text) {
  if (!text.starts_with('<') && !text.starts_with('>')) return false;
  text.remove_prefix(1);
  if (text.starts_with('=')) text.remove_prefix(1);
  text = without_spaces(text);
  return !text.empty() && (text.front() == '-' || (text.front() >= '0' && text.front() <= '9'));
}

/// Values of which hardly any expression matches all, but the one that means to.
bool matches_everything(const re2::RE2& expression) {
  static constexpr std::string_view kProbes[] = {
      "a", "Z", "0", " ", "^", "~ \xc3\xa9\xe6\xbc\xa2", "(q) 7.x-Y_z, and many more: 0123456789!"};
  return std::ranges::all_of(kProbes, [&](std::string_view probe) {
    return re2::RE2::PartialMatch(re2::StringPiece(probe.data(), probe.size()), expression);
  });
}

/// Compiles the alternatives of one value, one after another.
class ValueCompiler {
 public:
  ValueCompiler(const NamedField& field, const Site& site, Findings& findings)
      : field_(field), site_(site), findings_(findings) {}

  void add(const toml::node& node, bool inside_array);
  std::optional<Pattern> finish() &&;

 private:
  void add_text(std::string_view text, const toml::source_region& at);
  void add_plain(std::string_view text, const toml::source_region& at);
  void add_equals(const toml::table& table);
  void add_number(double number, const toml::node& node);
  void add_expression(std::string_view text, const toml::source_region& at);
  void add_on_scale(std::string_view text, Scale scale, const toml::source_region& at);
  void add_sop_class(std::string_view text, const toml::source_region& at);
  void add_transfer_syntax(std::string_view text, const toml::source_region& at);
  void add_address(std::string_view text, const toml::source_region& at);
  void add_window(std::string_view text, const toml::source_region& at);
  void add_text_literal(std::string_view text, const toml::source_region& at);
  void add_literal(std::string_view text);
  void add_interval(const Interval& interval, const toml::source_region& at);
  void warn_of_no_value(std::string_view text, bool glob, const toml::source_region& at);
  std::optional<Interval> comparison(std::string_view text, Scale scale) const;
  std::optional<Interval> range(std::string_view text, Scale scale) const;
  std::optional<double> bound(std::string_view text, Scale scale, bool latest) const;

  void error(const toml::source_region& at, std::string message) {
    failed_ = true;
    findings_.error(at, std::move(message));
  }
  /// "'Modality' (CS)"
  std::string subject() const {
    return in_quotes(field_.name) + (field_.vr.empty() ? "" : " (" + field_.vr + ")");
  }

  const NamedField& field_;
  const Site& site_;
  Findings& findings_;
  Pattern pattern_;
  std::vector<std::string> parts_;  // the alternatives as TOML
  bool failed_ = false;
};

void ValueCompiler::add(const toml::node& node, bool inside_array) {
  if (const auto* text = node.as_string()) {
    parts_.push_back(toml_string(text->get()));
    return add_text(text->get(), node.source());
  }
  if (const auto* table = node.as_table()) return add_equals(*table);
  if (const auto* number = node.as_integer()) {
    parts_.push_back(std::to_string(number->get()));
    return add_number(static_cast<double>(number->get()), node);
  }
  if (const auto* number = node.as_floating_point()) {
    parts_.push_back(toml_number(number->get()));
    return add_number(number->get(), node);
  }
  if (node.is_date() || node.is_time() || node.is_date_time()) {
    return error(node.source(), "write dates and times as DICOM does, in quotes: \"20240131\"");
  }
  const toml::array* const array = node.as_array();
  if (array == nullptr || inside_array) {
    return error(node.source(), "the value of " + in_quotes(field_.name) +
                                    " must be a text in quotes, a number, or a list of these");
  }
  if (array->empty()) return error(node.source(), "an empty list matches nothing");
  for (const toml::node& alternative : *array) add(alternative, true);
}

void ValueCompiler::add_equals(const toml::table& table) {
  const toml::node* const value = table.get("equals");
  if (value == nullptr || table.size() != 1 || !value->is_string()) {
    return error(table.source(), "the value of " + in_quotes(field_.name) +
                                     " may be a table only as { equals = \"text\" }");
  }
  const std::string& text = value->as_string()->get();
  parts_.push_back("{ equals = " + toml_string(text) + " }");
  if (text.size() > kMaxText) return add_text(text, value->source());
  if (text.empty()) return add_text(text, value->source());
  switch (field_.kind) {
    case Kind::kSequence:
    case Kind::kBinary:
    case Kind::kSopClass:
    case Kind::kTransferSyntax:
    case Kind::kWindow:
      return add_plain(text, value->source());
    default:
      warn_of_no_value(text, false, value->source());
      add_literal(text);
  }
}

void ValueCompiler::add_number(double number, const toml::node& node) {
  if (field_.kind != Kind::kNumber && field_.kind != Kind::kUnknown) {
    return error(node.source(), subject() + " is not compared as a number: put it in quotes");
  }
  add_interval({Scale::kNumber, number, number}, node.source());
}

void ValueCompiler::add_text(std::string_view text, const toml::source_region& at) {
  if (text.empty()) {
    pattern_.absent_or_empty = true;
    return;
  }
  if (text.size() > kMaxText) {
    return error(at, "a value may have at most " + std::to_string(kMaxText) + " octets");
  }
  const bool named = field_.kind == Kind::kSopClass || field_.kind == Kind::kTransferSyntax ||
                     field_.kind == Kind::kSequence || field_.kind == Kind::kBinary ||
                     field_.kind == Kind::kWindow;
  if (text.starts_with('/') && !named) return add_expression(text, at);
  const bool is_glob = text.find_first_of("*?") != std::string_view::npos;
  const bool of_uid = text.find_first_not_of("0123456789.*?") == std::string_view::npos;
  const bool accepts_globs =
      !named ||
      (of_uid && (field_.kind == Kind::kSopClass || field_.kind == Kind::kTransferSyntax));
  if (is_glob && accepts_globs) {
    warn_of_no_value(text, true, at);
    pattern_.globs.emplace_back(text);
    return;
  }
  add_plain(text, at);
}

void ValueCompiler::add_plain(std::string_view text, const toml::source_region& at) {
  switch (field_.kind) {
    case Kind::kSequence:
      return error(at, subject() +
                           " is a sequence: ask for an element inside of it, or for \"\" "
                           "(absent or empty)");
    case Kind::kBinary:
      return error(at, subject() + " is binary: only \"\" (absent or empty) can be asked for");
    case Kind::kSopClass:
      return add_sop_class(text, at);
    case Kind::kTransferSyntax:
      return add_transfer_syntax(text, at);
    case Kind::kAddress:
      return add_address(text, at);
    case Kind::kWindow:
      return add_window(text, at);
    case Kind::kUid:
      if (!Uid::parse(text)) return error(at, in_quotes(text) + " is no UID");
      return add_literal(text);
    default:
      break;
  }
  if (const auto scale = scale_of(field_.kind)) return add_on_scale(text, *scale, at);
  if (looks_like_comparison(text)) {
    return error(at, subject() +
                         " is text, which has no greater or less; for the text itself "
                         "write { equals = \"" +
                         std::string(text) + "\" }");
  }
  add_text_literal(text, at);
}

void ValueCompiler::add_text_literal(std::string_view text, const toml::source_region& at) {
  if (field_.kind == Kind::kListener && !site_.listeners.empty() &&
      !site_.listeners.contains(std::string(text))) {
    const std::vector<std::string_view> known(site_.listeners.begin(), site_.listeners.end());
    findings_.warning(at, "there is no listener " + in_quotes(text) + suggestion(text, known));
  }
  warn_of_no_value(text, false, at);
  add_literal(text);
}

void ValueCompiler::warn_of_no_value(std::string_view text, bool glob,
                                     const toml::source_region& at) {
  if (field_.kind == Kind::kUpperCase &&
      std::ranges::any_of(text, [](char c) { return c >= 'a' && c <= 'z'; })) {
    return findings_.warning(at, subject() + " is upper case in DICOM: " + in_quotes(text) +
                                     " matches no conforming object");
  }
  const std::string_view vr = field_.kind == Kind::kAeTitle ? std::string_view("AE") : field_.vr;
  if (const std::string why = why_no_value(vr, text, glob); !why.empty()) {
    findings_.warning(at, in_quotes(text) + " matches nothing: " + subject() + " " + why);
  }
}

/// An address or a range; written in another way it is still the same one.
void ValueCompiler::add_address(std::string_view text, const toml::source_region& at) {
  const auto range = AddressRange::parse(text);
  if (!range) {
    return error(at,
                 in_quotes(text) + ": " + range.error().detail +
                     "; write \"10.1.2.3\", \"10.1.0.0/16\", \"fd00::/8\" or a glob, \"10.1.*\"");
  }
  if (range->has_host_bits()) {
    findings_.warning(at, in_quotes(text) + " has bits behind its prefix, which count for nothing");
  }
  pattern_.addresses.push_back(*range);
}

void ValueCompiler::add_window(std::string_view text, const toml::source_region& at) {
  const auto spans = parse_window(text);
  if (!spans) {
    return error(at, in_quotes(text) + " is no window of time: " + spans.error().detail);
  }
  for (const WeekSpan& span : *spans) {
    pattern_.intervals.push_back({Scale::kWeekTime, static_cast<double>(span.begin),
                                  static_cast<double>(span.end), false, true});
  }
}

void ValueCompiler::add_expression(std::string_view text, const toml::source_region& at) {
  const std::size_t close = text.rfind('/');
  const std::string_view flags = text.substr(close + 1);
  if (close == 0 || (!flags.empty() && flags != "i")) {
    return error(at, in_quotes(text) +
                         " is no regular expression: write '/.../' or '/.../i', and for "
                         "the text itself { equals = ... }");
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxRegexMemory);
  options.set_case_sensitive(flags.empty());
  options.set_never_capture(true);
  const std::string_view body = text.substr(1, close - 1);
  auto expression =
      std::make_shared<const re2::RE2>(re2::StringPiece(body.data(), body.size()), options);
  if (!expression->ok()) {
    return error(at, in_quotes(text) + " is no regular expression: " + expression->error());
  }
  if (matches_everything(*expression)) {
    findings_.warning(at, in_quotes(text) +
                              " matches every value: for any value at all write \"*\", and in a "
                              "regular expression '\\.' for a full stop");
  }
  pattern_.expressions.push_back(std::move(expression));
}

void ValueCompiler::add_on_scale(std::string_view text, Scale scale,
                                 const toml::source_region& at) {
  std::optional<Interval> interval;
  if (text.starts_with('<') || text.starts_with('>')) {
    interval = comparison(text, scale);
  } else {
    interval = range(text, scale);
  }
  if (interval && interval->low > interval->high) {
    return error(at, in_quotes(text) + " is empty: it begins above its end");
  }
  if (interval) return add_interval(*interval, at);
  // An age is compared with its unit; what a private element holds is not known.
  if (field_.kind == Kind::kUnknown || (scale == Scale::kAge && on_scale(text, scale))) {
    return add_literal(text);
  }
  const auto low = bound(text, scale, false);
  const auto high = bound(text, scale, true);
  if (scale == Scale::kAge || !low || !high) {
    return error(at, subject() + " is compared as " + std::string(forms_of(scale)) + "; " +
                         in_quotes(text) + " is none of these");
  }
  add_interval({scale, *low, *high}, at);
}

std::optional<double> ValueCompiler::bound(std::string_view text, Scale scale, bool latest) const {
  text = without_spaces(text);
  if (scale == Scale::kDateTime && text.find('.') != std::string_view::npos) return std::nullopt;
  const bool exists =
      scale == Scale::kTime ? is_clock(text.substr(0, text.find('.'))) : is_calendar(text);
  const bool dated = scale == Scale::kDate || scale == Scale::kTime || scale == Scale::kDateTime;
  if (dated && on_scale(text, scale) && !exists) return std::nullopt;
  if (scale != Scale::kAge || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return on_scale(text, scale, latest);
  }
  return on_scale(std::string(text) + "Y", scale, latest);
}

std::optional<Interval> ValueCompiler::comparison(std::string_view text, Scale scale) const {
  const bool less = text.front() == '<';
  text.remove_prefix(1);
  const bool or_equal = text.starts_with('=');
  if (or_equal) text.remove_prefix(1);
  // "<= 1200" takes all of that minute, "> 1200" begins behind it.
  const auto limit = bound(text, scale, less == or_equal);
  if (!limit) return std::nullopt;
  Interval interval{scale, -kInfinity, kInfinity, !less && !or_equal, less && !or_equal};
  (less ? interval.high : interval.low) = *limit;
  return interval;
}

std::optional<Interval> ValueCompiler::range(std::string_view text, Scale scale) const {
  const bool dots = scale == Scale::kNumber || scale == Scale::kAge;
  const std::size_t at = dots ? text.find("..") : text.find('-');
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view from = text.substr(0, at);
  const std::string_view to = text.substr(at + (dots ? 2 : 1));
  const bool open_low = from.empty() && !to.empty();
  const bool open_high = to.empty() && !from.empty();
  const auto low = open_low ? -kInfinity : bound(from, scale, false);
  const auto high = open_high ? kInfinity : bound(to, scale, true);
  if (!low || !high) return std::nullopt;
  return Interval{scale, *low, *high};
}

void ValueCompiler::add_sop_class(std::string_view text, const toml::source_region& at) {
  constexpr std::string_view kGroup = "group:";
  if (text.starts_with(kGroup)) {
    const std::string_view group = text.substr(kGroup.size());
    bool found = false;
    for (const SopClass& each : sop_classes()) {
      if (!is_in_group(each, group)) continue;
      found = true;
      add_literal(each.uid);
    }
    if (!found) {
      error(at, "unknown group " + in_quotes(group) + suggestion(group, sop_class_groups()));
    }
    return;
  }
  if (Uid::parse(text)) return add_literal(text);
  if (const SopClass* named = find_sop_class(text)) return add_literal(named->uid);
  std::vector<std::string_view> known;
  for (const SopClass& each : sop_classes()) known.push_back(each.name);
  error(at, "unknown SOP class " + in_quotes(text) + suggestion(text, known));
}

void ValueCompiler::add_transfer_syntax(std::string_view text, const toml::source_region& at) {
  if (Uid::parse(text)) return add_literal(text);
  std::vector<std::string_view> known;
  for (const encoding::TransferSyntax& each : encoding::transfer_syntaxes()) {
    if (each.name == text) return add_literal(each.uid);
    known.push_back(each.name);
  }
  error(at, "unknown transfer syntax " + in_quotes(text) + suggestion(text, known));
}

void ValueCompiler::add_literal(std::string_view text) { pattern_.literals.emplace_back(text); }

void ValueCompiler::add_interval(const Interval& interval, const toml::source_region& at) {
  if (const std::string why = why_no_number(field_.vr, interval); !why.empty()) {
    findings_.warning(at, "this matches nothing: " + subject() + " " + why);
  }
  pattern_.intervals.push_back(interval);
}

std::optional<Pattern> ValueCompiler::finish() && {
  if (failed_) return std::nullopt;
  std::ranges::sort(pattern_.literals);
  std::ranges::sort(parts_);
  parts_.erase(std::unique(parts_.begin(), parts_.end()), parts_.end());
  for (const std::string& part : parts_) {
    pattern_.canonical += (pattern_.canonical.empty() ? "" : ", ") + part;
  }
  if (parts_.size() > 1) pattern_.canonical = "[" + pattern_.canonical + "]";
  return std::move(pattern_);
}

}  // namespace

std::optional<Pattern> compile_value(const toml::node& value, const NamedField& field,
                                     const Site& site, Findings& findings) {
  ValueCompiler compiler(field, site, findings);
  compiler.add(value, false);
  return std::move(compiler).finish();
}

}  // namespace dr::rules
