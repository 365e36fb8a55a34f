#include "router/replay/replay.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ranges>
#include <utility>

namespace dr::replay {
namespace {

using encoding::HeaderScanner;
using encoding::Tag;
using journal::ObjectRecord;
using rules::Question;

constexpr const char* kUnrouted = "(unrouted)";
constexpr const char* kExtraction = "(extraction)";
constexpr const char* kTooLong = "too long, or too far into the object, to be kept";
constexpr const char* kHidden = "patient data that is not kept";
constexpr const char* kHashed = "kept as a keyed hash, which only plain ASCII literals equal";
constexpr const char* kNotRecorded = "is not recorded with an object";

bool is_ascii(const std::string& text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Whether hashes of the question's literals say all that it asks.
bool answered_by_hash(const Question& question) {
  return question.only_literals && !question.is_private && hashable(question.vr) &&
         std::ranges::all_of(question.literals, is_ascii);
}

std::string refused(std::uint16_t status) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "(refused %04XH)", static_cast<unsigned>(status));
  return text.data();
}

Uid syntax_of(const Header& header) {
  if (!header.explicit_vr) return uid_literal("1.2.840.10008.1.2");
  return uid_literal(header.big_endian ? "1.2.840.10008.1.2.2" : "1.2.840.10008.1.2.1");
}

bool equal(const journal::RouteRecord& before, const rules::Route& after) {
  const auto us = [](std::chrono::microseconds time) {
    return static_cast<std::uint64_t>(time.count());
  };
  const journal::WaitRecord wait{static_cast<std::uint8_t>(after.wait.until), us(after.wait.quiet),
                                 us(after.wait.at_most),
                                 static_cast<std::uint8_t>(after.wait.late)};
  return before.transform == after.transform && before.held == after.held && before.wait == wait;
}

/// The rule that had sent it there; empty where none is on record.
std::string rule_then(const ObjectRecord& object, const std::string& destination) {
  for (const journal::DecisionRecord& decision : object.decisions) {
    if (std::ranges::count(decision.destinations, destination) > 0) return decision.rule;
  }
  return {};
}

}  // namespace

Replay::Replay(const rules::RuleSet& rules, std::string key, CharacterSetOf character_set)
    : rules_(rules), questions_(rules.questions()), character_set_(std::move(character_set)) {
  if (key.empty()) return;
  const ValueHash hash(std::move(key));
  for (const Question& question : questions_) {
    for (const std::string& literal : question.literals) known_[hash.of(literal)] = literal;
  }
}

void Replay::add(const Snapshot& snapshot, Keep keep) {
  bool certain = true;
  const rules::Decision decision = decide(snapshot, certain, keep);
  compare(snapshot, decision, certain);
}

rules::Decision Replay::decide(const Snapshot& snapshot, bool& certain, Keep keep) {
  const ObjectRecord& object = snapshot.object;
  HeaderScanner header(rules_.scan_plan(), syntax_of(snapshot.header));
  const Bytes octets =
      keep == Keep::kKeyedHash ? restore(snapshot.header, known_) : snapshot.header.octets;
  header.feed(octets);
  header.finish();
  certain = !note_unanswered(snapshot, header, keep);
  const std::string unknown;
  const std::string character_set = character_set_ ? character_set_(object) : std::string();
  return rules_.decide({object.calling_ae_title, object.called_ae_title, object.peer_address,
                        object.listener, unknown, unknown, object.sop_class_uid,
                        object.transfer_syntax_uid, object.received, header, character_set});
}

/// True: some condition asks what this snapshot does not tell.
bool Replay::note_unanswered(const Snapshot& snapshot, const HeaderScanner& header, Keep keep) {
  const Header& kept = snapshot.header;
  bool any = false;
  const auto note = [&](const Question& question, const char* reason) {
    auto& one = unanswered_[{question.key, reason}];
    if (one.objects++ == 0) one = {question.key, reason, 1, question.rules};
    any = true;
  };
  for (const Question& question : questions_) {
    if (!question.element) {
      const bool recorded = question.key != "source.user" && question.key != "source.tls_subject";
      if (!recorded) note(question, kNotRecorded);
      continue;
    }
    const bool identifying =
        keep != Keep::kFull && (identifies(question.tag, question.vr) || question.is_private);
    const bool missing = std::ranges::any_of(kept.missing, [&](Tag tag) {
      const bool in_some_block = question.top.group % 2 != 0;
      return in_some_block ? tag.group == question.top.group : tag == question.top;
    });
    if (kept.cut && question.top >= *kept.cut) {
      note(question, kTooLong);
    } else if (missing) {
      note(question, identifying ? kHidden : kTooLong);
    } else if (identifying && keep == Keep::kKeyedHash && header.find(question.top) != nullptr &&
               !answered_by_hash(question)) {
      note(question, kHashed);
    }
  }
  return any;
}

void Replay::compare(const Snapshot& snapshot, const rules::Decision& decision, bool certain) {
  const ObjectRecord& object = snapshot.object;
  bool same = true;
  const auto differs = [&](const char* what, const std::string& destination,
                           const std::string& rule) {
    same = false;
    change(snapshot, what, destination, rule, certain);
  };
  const auto rule_now = [&](const std::string& destination) -> std::string {
    for (const std::uint32_t index : decision.matched) {
      const rules::RuleInfo& rule = rules_.rules()[index];
      if (std::ranges::count(rule.route, destination) > 0) return rule.name;
    }
    return {};
  };
  for (const rules::Route& route : decision.routes) {
    const auto before =
        std::ranges::find(object.routes, route.destination, &journal::RouteRecord::destination);
    if (before == object.routes.end()) {
      differs("added", route.destination, rule_now(route.destination));
    } else if (!equal(*before, route)) {
      differs("changed", route.destination, rule_now(route.destination));
    }
  }
  for (const journal::RouteRecord& route : object.routes) {
    if (std::ranges::count(decision.routes, route.destination, &rules::Route::destination) == 0) {
      differs("removed", route.destination, rule_then(object, route.destination));
    }
  }
  if (decision.refuse) {
    const auto refuses = std::ranges::find_if(
        decision.matched, [&](std::uint32_t index) { return rules_.rules()[index].route.empty(); });
    differs("added", refused(*decision.refuse),
            refuses == decision.matched.end() ? std::string() : rules_.rules()[*refuses].name);
  } else if (decision.routes.empty() && !object.routes.empty()) {
    differs("added", kUnrouted, "");
  }
  if (!decision.routes.empty() && object.routes.empty()) differs("removed", kUnrouted, "");
  if (decision.extract != object.extract) {
    differs(decision.extract ? "added" : "removed", kExtraction, "");
  }
  ++result_.objects;
  ++(same ? result_.same : certain ? result_.different : result_.perhaps);
}

void Replay::change(const Snapshot& snapshot, std::string what, std::string destination,
                    std::string rule, bool certain) {
  Change& change = changes_[{destination, what, rule, certain}];
  if (change.objects++ > 0) return;
  change.what = std::move(what);
  change.destination = std::move(destination);
  change.rule = std::move(rule);
  change.certain = certain;
  change.example = snapshot.object.sop_instance_uid.str();
}

Comparison Replay::take() {
  for (auto& [key, change] : changes_) result_.changes.push_back(std::move(change));
  for (auto& [key, one] : unanswered_) result_.unanswered.push_back(std::move(one));
  return std::move(result_);
}

}  // namespace dr::replay
