#include "router/audit/journal_trace.h"

#include <algorithm>
#include <map>
#include <utility>

#include "db/row_text.h"
#include "router/audit/rows.h"

namespace dr::audit {
namespace {

using db::TracedObject;
using journal::Sequence;

/// What is known so far of the objects asked for: the oldest `limit`. Rows come in the order of the
/// journal, so what belongs to an object comes after it.
class Found {
 public:
  Found(const std::string& uid, std::size_t limit) : uid_(uid), limit_(limit) {}

  void operator()(db::InstanceRow& row) {
    if (row.sop_instance_uid != uid_ && row.series_instance_uid != uid_ &&
        row.study_instance_uid != uid_) {
      return;
    }
    const Place place{row.received, row.key.sequence};
    const std::uint64_t sequence = row.key.sequence;
    TracedObject& object = objects_[place];
    object.instance = std::move(row);
    places_[sequence] = place;
    if (objects_.size() > limit_) forget_youngest();
  }
  void operator()(db::DecisionRow& row) {
    if (auto* object = find(row.key.sequence)) object->decisions.push_back(std::move(row));
  }
  void operator()(db::DigestRow& row) {
    auto* object = find(row.instance_sequence);
    if (object != nullptr && object->sha256.empty()) object->sha256 = std::move(row.sha256);
  }
  void operator()(db::DeliveryRow& row) {
    if (auto* object = find(row.instance_sequence)) object->deliveries.push_back(std::move(row));
  }
  void operator()(db::InstanceStateRow& row) {
    auto* object = find(row.key.sequence);
    if (object == nullptr) return;
    const auto same =
        std::ranges::find(object->states, row.destination, &db::InstanceStateRow::destination);
    if (same == object->states.end()) {
      object->states.push_back(std::move(row));
    } else if (row.changed_sequence > same->changed_sequence) {
      *same = std::move(row);
    }
  }
  void operator()(const auto& /*of no object*/) {}

  TracedObject* find(std::uint64_t sequence) {
    const auto place = places_.find(sequence);
    return place == places_.end() ? nullptr : &objects_.at(place->second);
  }

  std::vector<TracedObject> take() {
    std::vector<TracedObject> objects;
    for (auto& [place, object] : objects_) {
      std::ranges::sort(object.decisions, {}, &db::DecisionRow::rule_ordinal);
      std::ranges::sort(object.states, {}, &db::InstanceStateRow::destination);
      objects.push_back(std::move(object));
    }
    return objects;
  }

 private:
  using Place = std::pair<UtcMicros, std::uint64_t>;

  void forget_youngest() {
    const auto youngest = std::prev(objects_.end());
    places_.erase(youngest->first.second);
    objects_.erase(youngest);
  }

  const std::string& uid_;
  const std::size_t limit_;
  std::map<Place, TracedObject> objects_;
  std::map<std::uint64_t, Place> places_;
};

class Tracer {
 public:
  Tracer(journal::Journal& journal, const std::string& node, Found& found)
      : journal_(journal), node_(node), found_(found) {}

  /// Objects that were carried forward out of segments which are gone stand outside the order:
  /// what is open leads to them. Of their destinations only those that are open, or that have an
  /// outcome later in the journal, are known.
  Result<void> moved(Sequence first) {
    for (Sequence after = Sequence::kNone;;) {
      const auto open = journal_.open_deliveries(after, 1);
      if (open.empty() || open.front().instance >= first) return {};
      after = open.front().instance;
      auto record = journal_.read(after);
      if (record) {
        add(*record);
        if (auto* object = found_.find(value(after))) set_states(*object, open);
      } else if (!passed_over(record.error())) {
        return std::move(record).error();
      }
    }
  }

  Result<void> in_order(std::optional<journal::Record> record) {
    while (record) {
      add(*record);
      auto after = journal_.read_after(record->sequence);
      if (!after) return std::move(after).error();
      record = std::move(*after);
    }
    return {};
  }

 private:
  static bool passed_over(const Error& error) {
    return error.code == Errc::kCorrupt || error.code == Errc::kNotFound;
  }

  void add(const journal::Record& record) {
    using journal::RecordType;
    if (record.type != RecordType::kObject && record.type != RecordType::kRefused &&
        record.type != RecordType::kOutcome && record.type != RecordType::kDigest) {
      return;
    }
    auto rows = rows_of(record, node_, journal_.spool_id());
    if (!rows) return;  // damage is the journal's to report
    for (db::Row& row : *rows) {
      db::clean(row);
      std::visit(found_, row);
    }
  }

  static void set_states(TracedObject& object, std::span<const journal::OpenDelivery> open) {
    std::vector<db::InstanceStateRow> states;
    for (const journal::OpenDelivery& delivery : open) {
      db::InstanceStateRow& state = states.emplace_back();
      state.key = object.instance.key;
      state.destination = delivery.destination;
      state.state = name(delivery.state);
      state.attempts = delivery.attempts;
      if (delivery.next_attempt != UtcMicros{}) state.next_attempt = delivery.next_attempt;
      state.changed = object.instance.received;
      state.changed_sequence = object.instance.key.sequence;
    }
    object.states = std::move(states);
  }

  journal::Journal& journal_;
  const std::string& node_;
  Found& found_;
};

}  // namespace

Result<std::vector<TracedObject>> trace_journal(journal::Journal& journal, const std::string& node,
                                                const std::string& uid, std::size_t limit) {
  if (uid.empty() || limit == 0) return std::vector<TracedObject>{};
  Found found(uid, limit);
  Tracer tracer(journal, node, found);
  auto first = journal.read_after(Sequence::kNone);
  if (!first) return std::move(first).error();
  const Sequence start = *first ? (**first).sequence : next(journal.watermark());
  if (auto done = tracer.moved(start); !done) return std::move(done).error();
  if (auto done = tracer.in_order(std::move(*first)); !done) return std::move(done).error();
  return found.take();
}

std::vector<TracedObject> merge(std::vector<TracedObject> journals,
                                std::vector<TracedObject> databases, std::size_t limit) {
  const auto place = [](const TracedObject& object) {
    return std::pair{object.instance.received, object.instance.key.sequence};
  };
  std::map<std::pair<UtcMicros, std::uint64_t>, TracedObject> merged;
  for (TracedObject& object : journals) merged.emplace(place(object), std::move(object));
  for (TracedObject& object : databases) {
    const auto [at, added] = merged.try_emplace(place(object));
    TracedObject& known = at->second;
    if (added) {
      known = std::move(object);
      continue;
    }
    if (known.sha256.empty()) known.sha256 = std::move(object.sha256);
    if (known.decisions.empty()) known.decisions = std::move(object.decisions);
    const auto sequence = [](const db::DeliveryRow& row) { return row.key.sequence; };
    for (db::DeliveryRow& row : object.deliveries) {
      const auto same = std::ranges::find(known.deliveries, sequence(row), sequence);
      if (same == known.deliveries.end()) known.deliveries.push_back(std::move(row));
    }
    std::ranges::sort(known.deliveries, {}, sequence);
    for (db::InstanceStateRow& row : object.states) {
      const auto same =
          std::ranges::find(known.states, row.destination, &db::InstanceStateRow::destination);
      if (same == known.states.end()) known.states.push_back(std::move(row));
    }
    std::ranges::sort(known.states, {}, &db::InstanceStateRow::destination);
  }
  std::vector<TracedObject> objects;
  for (auto& [received, object] : merged) {
    if (objects.size() == limit) break;
    objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace dr::audit
