#include "router/admin/explain_stored.h"

#include <algorithm>
#include <functional>
#include <vector>

#include <nlohmann/json.hpp>

#include "router/admin/explain.h"
#include "router/admin/trace_json.h"
#include "router/delivery/object_source.h"

namespace dr::admin {
namespace {

using nlohmann::json;

constexpr std::size_t kPiece = 64 * 1024;

json decided(const journal::ObjectRecord& record) {
  json document{
      {"rules", json::array()}, {"route", json::array()}, {"rules_sha256", record.rules_sha256}};
  for (const auto& decision : record.decisions) document["rules"].push_back(decision.rule);
  for (const auto& route : record.routes) document["route"].push_back(route.destination);
  return document;
}

Result<json> explain(delivery::StoredObject& object, std::shared_ptr<const rules::RuleSet> rules,
                     const std::string& character_set, const TryCopy& try_copy) {
  const journal::ObjectRecord& record = object.record;
  ExplainedObject explained(std::move(rules), record.sop_class_uid, record.sop_instance_uid,
                            record.transfer_syntax_uid);
  Bytes piece(kPiece);
  for (;;) {
    const auto n = object.body->read(piece);
    if (!n) return n.error();
    if (*n == 0 || !explained.feed(ByteSpan(piece).first(*n))) break;
  }
  auto document =
      explained.finish({record.calling_ae_title, record.called_ae_title, record.peer_address,
                        record.listener, record.received, character_set},
                       try_copy);
  if (!document) return document;
  (*document)["received"] = utc_text(record.received);
  (*document)["decided"] = decided(record);
  return document;
}

}  // namespace

Result<json> explain_stored(journal::Journal& journal, std::shared_ptr<const rules::RuleSet> rules,
                            const Trials& trials, std::span<const db::TracedObject> traced,
                            const std::string& sop_instance_uid) {
  std::vector<std::uint64_t> sequences;
  for (const db::TracedObject& object : traced) {
    const db::InstanceRow& row = object.instance;
    if (row.sop_instance_uid == sop_instance_uid && row.key.spool_id == journal.spool_id()) {
      sequences.push_back(row.key.sequence);
    }
  }
  std::ranges::sort(sequences, std::greater<>());
  for (const std::uint64_t sequence : sequences) {
    auto object = delivery::open_object(journal, journal::Sequence{sequence});
    if (!object && object.error().code == Errc::kNotFound) continue;
    if (!object) return object.error();
    const auto open = [&]() -> Result<delivery::Sample> {
      const auto again = delivery::open_object(journal, journal::Sequence{sequence});
      if (!again) return again.error();
      if (auto room = trials.room(again->octets); !room) return room.error();
      return trials.transformer.sample(*again);
    };
    auto document = explain(*object, rules, trials.transformer.character_set_of(object->record),
                            try_copies(trials, open));
    if (document) (*document)["sequence"] = sequence;
    return document;
  }
  return Error{Errc::kNotFound, "no object of this UID is in the journal any more"};
}

}  // namespace dr::admin
