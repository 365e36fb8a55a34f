#include "router/admin/explain.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "dimse/base/address_range.h"
#include "dimse/base/log.h"
#include "dimse/file/part10_header.h"
#include "router/rules/transform.h"
#include "router/rules/wait.h"

namespace dr::admin {
namespace {

using nlohmann::json;

constexpr std::size_t kHead = 2U << 20;  // above what file meta information may have

Result<AeTitle> ae_title(const std::string& name, const std::string& text) {
  auto title = AeTitle::parse(text);
  if (!title) {
    return Error{Errc::kInvalid, name + ": an AE title has at most 16 characters, not \"" +
                                     log::escape(text, 40) + "\""};
  }
  return title;
}

json to_json(const rules::ConditionOutcome& condition) {
  json document{{"key", condition.key},
                {"expected", condition.expected},
                {"seen", condition.seen ? json(*condition.seen) : json()},
                {"matched", condition.matched}};
  if (!condition.inside.empty()) document["inside"] = condition.inside;
  return document;
}

json to_json(const rules::RuleInfo& rule, const rules::RuleOutcome& outcome) {
  json document{{"rule", rule.name},          {"file", rule.file},
                {"line", rule.line},          {"matched", outcome.matched},
                {"reached", outcome.reached}, {"conditions", json::array()}};
  for (const auto& each : outcome.conditions) document["conditions"].push_back(to_json(each));
  return document;
}

std::string status_text(std::uint16_t status) {
  std::array<char, 8> text;
  std::snprintf(text.data(), text.size(), "%04XH", static_cast<unsigned>(status));
  return text.data();
}

const char* word(rules::Priority priority) {
  return priority == rules::Priority::kHigh  ? "high"
         : priority == rules::Priority::kLow ? "low"
                                             : "normal";
}

json to_json(const std::vector<rules::ElementChange>& changes) {
  const auto value = [](const std::optional<std::string>& text) {
    return text ? json(*text) : json();
  };
  auto elements = json::array();
  for (const rules::ElementChange& each : changes) {
    elements.push_back(
        {{"element", each.element}, {"before", value(each.before)}, {"after", value(each.after)}});
  }
  return elements;
}

Copies copies_of(const rules::Decision& decision, const TryCopy& try_copy) {
  Copies copies;
  for (const rules::Route& route : decision.routes) {
    if (!route.held.empty()) {
      copies[route.destination].held = route.held;
    } else if (auto tried = try_copy ? try_copy(route) : std::nullopt) {
      copies.emplace(route.destination, *std::move(tried));
    }
  }
  return copies;
}

}  // namespace

Result<Sender> with_query(Sender sender, const std::map<std::string, std::string>& query) {
  for (const auto& [name, text] : query) {
    if (name == "calling" || name == "called") {
      auto title = ae_title(name, text);
      if (!title) return title.error();
      (name == "calling" ? sender.calling_ae_title : sender.called_ae_title) = *std::move(title);
    } else if (name == "from") {
      if (!NumericAddress::parse(text)) {
        return Error{Errc::kInvalid,
                     "from: not an IPv4 or IPv6 address: \"" + log::escape(text, 40) + "\""};
      }
      sender.address = text;
    } else if (name == "listener") {
      sender.listener = text;
    }
  }
  return sender;
}

TryCopy try_copies(Trials trials, OpenSample open) {
  auto sample = std::make_shared<std::optional<Result<delivery::Sample>>>();
  return [trials = std::move(trials), open = std::move(open),
          sample](const rules::Route& route) -> std::optional<CopyOutcome> {
    const auto to = std::ranges::find(trials.destinations, route.destination,
                                      &delivery::DestinationSettings::name);
    const bool strict = to != trials.destinations.end() && to->require_deidentified;
    if (strict && !rules::is_deidentified(route.transform)) {
      return CopyOutcome{{}, "not_deidentified", ""};
    }
    if (route.transform.empty()) return std::nullopt;
    if (!*sample) sample->emplace(open());
    if (!**sample) return CopyOutcome{{}, "", (*sample)->error().to_string()};
    auto changes = trials.transformer.explain(***sample, route.transform);
    if (changes) return CopyOutcome{*std::move(changes), "", ""};
    const bool unknown = delivery::is_of_the_moment(changes.error());
    return CopyOutcome{
        {}, unknown ? "" : changes.error().detail, unknown ? changes.error().to_string() : ""};
  };
}

json to_json(const rules::RuleSet& rules, const rules::Explanation& explanation,
             const std::string& sop_instance_uid, const Copies& copies) {
  const rules::Decision& decision = explanation.decision;
  json document{{"sop_instance_uid", sop_instance_uid},
                {"rules", json::array()},
                {"route", json::array()},
                {"priorities", json::object()},
                {"extract", decision.extract},
                {"rejected", decision.refuse ? json(status_text(*decision.refuse)) : json()},
                {"waits", json::object()},
                {"transform", json::object()},
                {"transforms", json::object()},
                {"transforms_left_out", json::object()},
                {"held", json::object()},
                {"untried", json::object()},
                {"rules_sha256", rules.sha256()}};
  for (std::size_t i = 0; i < explanation.rules.size(); ++i) {
    document["rules"].push_back(to_json(rules.rules()[i], explanation.rules[i]));
  }
  for (const rules::Route& route : decision.routes) {
    document["route"].push_back(route.destination);
    document["priorities"][route.destination] = word(route.priority);
    if (route.wait != rules::Wait{}) {
      document["waits"][route.destination] = rules::canonical_wait(route.wait);
    }
    if (!route.transform.empty()) document["transform"][route.destination] = route.transform;
  }
  for (const auto& [destination, copy] : copies) {
    if (!copy.untried.empty()) {
      document["untried"][destination] = copy.untried;
    } else if (!copy.held.empty()) {
      document["held"][destination] = copy.held;
    } else {
      document["transforms"][destination] = to_json(copy.changes.elements);
      if (const auto more = copy.changes.left_out) {
        document["transforms_left_out"][destination] = more;
      }
    }
  }
  return document;
}

ExplainedObject::ExplainedObject(std::shared_ptr<const rules::RuleSet> rules, Uid sop_class_uid,
                                 Uid sop_instance_uid, Uid transfer_syntax_uid)
    : rules_(std::move(rules)),
      sop_class_uid_(std::move(sop_class_uid)),
      sop_instance_uid_(std::move(sop_instance_uid)),
      transfer_syntax_uid_(std::move(transfer_syntax_uid)),
      header_(rules_->scan_plan(), transfer_syntax_uid_) {}

bool ExplainedObject::feed(ByteSpan octets) {
  return header_.feed(octets) == encoding::HeaderScanner::State::kMore;
}

Result<json> ExplainedObject::finish(const Sender& sender, const TryCopy& try_copy) {
  if (header_.finish() == encoding::HeaderScanner::State::kFailed) return header_.error();
  const std::string nothing;
  const auto explanation =
      rules_->explain({sender.calling_ae_title, sender.called_ae_title, sender.address,
                       sender.listener, nothing, nothing, sop_class_uid_, transfer_syntax_uid_,
                       sender.received, header_, sender.character_set});
  return to_json(*rules_, explanation, sop_instance_uid_.str(),
                 copies_of(explanation.decision, try_copy));
}

bool ExplainedFile::feed(ByteSpan octets) {
  if (failure_) return false;
  if (object_) return object_->feed(octets);
  const std::size_t n = std::min(octets.size(), kHead - head_.size());
  head_.insert(head_.end(), octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(n));
  if (head_.size() < kHead) return true;
  if (auto begun = begin(); !begun) {
    failure_ = begun.error();
    return false;
  }
  return object_->feed(octets.subspan(n));
}

/// From the gathered head: the file's, and what there is of the data set.
Result<void> ExplainedFile::begin() {
  const auto read_at = [this](std::uint64_t offset, MutableByteSpan into) -> Result<std::size_t> {
    if (offset >= head_.size()) return 0;
    const auto at = static_cast<std::size_t>(offset);
    const std::size_t n = std::min(into.size(), head_.size() - at);
    std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(at), n, into.begin());
    return n;
  };
  const auto header = file::read_part10_header(read_at);
  if (!header) return header.error();
  object_.emplace(rules_, header->sop_class_uid, header->sop_instance_uid,
                  header->transfer_syntax_uid);
  const auto at =
      static_cast<std::size_t>(std::min<std::uint64_t>(header->data_set_offset, head_.size()));
  object_->feed(ByteSpan(head_).subspan(at));
  return {};
}

Result<json> ExplainedFile::finish(const Sender& sender, const TryCopy& try_copy) {
  if (!object_ && !failure_) {
    if (auto begun = begin(); !begun) failure_ = begun.error();
  }
  if (failure_) return *failure_;
  return object_->finish(sender, try_copy);
}

}  // namespace dr::admin
