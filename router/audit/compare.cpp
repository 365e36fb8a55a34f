#include "router/audit/compare.h"

#include <algorithm>
#include <set>
#include <utility>

#include "router/audit/forget.h"
#include "router/audit/retention.h"

namespace dr::audit {
namespace {

constexpr std::uint64_t kSpan = 5'000;  // sequences
constexpr std::size_t kFindings = 10'000;

const db::Table& table_of(std::size_t kind) { return db::tables().at(kind); }
bool is_digest(std::size_t kind) { return table_of(kind).on_conflict == db::OnConflict::kDigest; }
bool is_state(std::size_t kind) { return table_of(kind).on_conflict == db::OnConflict::kNewer; }

std::string text_of(const db::Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&cell)) return db::text_of(*real);
  return "null";
}

std::string key_text(const db::Record& key) {
  std::string text;
  for (const db::Cell& cell : key) text += (text.empty() ? "" : "/") + text_of(cell);
  return text;
}

bool is_forgotten(std::size_t kind, const db::Record& record) {
  const std::size_t state = db::column_of(table_of(kind), "state");
  return table_of(kind).name == "instance" && state < record.size() &&
         record[state] == db::Cell(std::string(db::kForgotten));
}

/// Names of the columns in which two rows of one key differ. Of a digest's row only the digest
/// counts: the object's columns are compared as the object's.
std::string different(std::size_t kind, const db::Record& a, const db::Record& b) {
  std::string names;
  const auto& columns = table_of(kind).columns;
  for (std::size_t i = table_of(kind).keys; i < columns.size(); ++i) {
    if (is_digest(kind) && !columns[i].name.starts_with("sha256")) continue;
    if (columns[i].name == "durable") continue;  // see Sealer::covers()
    if (a.at(i) != b.at(i)) names += (names.empty() ? "" : ", ") + columns[i].name;
  }
  return names;
}

/// One row as each source has it.
using Versions = std::map<std::size_t, const db::Record*>;

class SpanCompare {
 public:
  SpanCompare(const std::vector<Source>& sources, const Sealer& sealer, Comparison& total)
      : sources_(sources), sealer_(sealer), total_(total) {}

  void add(const std::vector<db::Records>& records) {
    for (std::size_t kind = 0; kind < db::kKinds; ++kind) {
      std::map<db::Record, Versions> rows;
      for (std::size_t source = 0; source < records.size(); ++source) {
        if (sources_[source].partial && is_state(kind)) continue;
        for (const db::Record& record : records[source].at(kind)) {
          db::Record key(record.begin(),
                         record.begin() + static_cast<std::ptrdiff_t>(table_of(kind).keys));
          rows[std::move(key)][source] = &record;
        }
      }
      for (const auto& [key, versions] : rows) row(kind, key, versions);
    }
  }

 private:
  void finding(std::size_t source, std::size_t kind, const db::Record& key, std::string what) {
    if (total_.findings.size() >= kFindings) return;
    total_.findings.push_back(
        {sources_[source].name, table_of(kind).name, key_text(key), std::move(what)});
  }

  void row(std::size_t kind, const db::Record& key, const Versions& versions) {
    ++total_.rows;
    // Whom the others are held against: who has the row as it was sealed, else the first.
    std::set<std::size_t> changed;
    std::size_t witness = versions.begin()->first;
    bool sealed = false;
    bool forgotten = false;
    for (const auto& [source, record] : versions) {
      if (is_forgotten(kind, *record)) {
        forgotten = true;
        continue;
      }
      const std::string& seal = Sealer::written_seal(kind, *record);
      if (seal.empty() || !sealer_.has_key()) continue;
      if (seal != sealer_.seal_of(kind, *record)) {
        changed.insert(source);
      } else if (!sealed) {
        sealed = true;
        witness = source;
      }
    }
    if (forgotten) ++total_.forgotten;
    if (!sealed && changed.empty() && !forgotten) ++total_.unsealed;
    for (std::size_t source = 0; source < sources_.size(); ++source) {
      const auto version = versions.find(source);
      if (version == versions.end()) {
        const bool absent_by_right =
            sources_[source].partial || (is_digest(kind) && only_journal(versions));
        if (!absent_by_right) {
          finding(source, kind, key, "missing; " + sources_[witness].name + " has it");
        }
        continue;
      }
      compare(kind, key, source, *version->second, witness, *versions.at(witness),
              changed.contains(source));
    }
  }

  /// A digest that the journal still tells of a forgotten object.
  bool only_journal(const Versions& versions) const {
    return std::ranges::all_of(versions, [&](const auto& v) { return sources_[v.first].partial; });
  }

  void compare(std::size_t kind, const db::Record& key, std::size_t source,
               const db::Record& record, std::size_t witness, const db::Record& other,
               bool changed) {
    const std::string columns = different(kind, record, other);
    const bool forgotten = is_forgotten(kind, record) != is_forgotten(kind, other);
    // What the journal still knows of a forgotten object is gone when its segment is.
    if (forgotten && (sources_[source].partial || sources_[witness].partial)) return;
    if (changed) {
      finding(
          source, kind, key,
          "changed since it was written: its seal does not match" +
              (columns.empty() ? std::string()
                               : "; differs from " + sources_[witness].name + " in " + columns));
    } else if (!columns.empty()) {
      finding(source, kind, key, "differs from " + sources_[witness].name + " in " + columns);
    }
  }

  const std::vector<Source>& sources_;
  const Sealer& sealer_;
  Comparison& total_;
};

class Comparer {
 public:
  Comparer(const std::vector<Source>& sources, const Sealer& sealer, const CompareOptions& options)
      : sources_(sources), sealer_(sealer), options_(options) {}

  Result<Comparison> run() {
    std::vector<db::Extent> extents;
    for (const Source& source : sources_) {
      if (auto known = look_for_retention(source); !known) return std::move(known).error();
      auto found = source.store->extents();
      if (!found) return failed(source, found.error());
      extents.insert(extents.end(), found->begin(), found->end());
    }
    for (db::Extent& extent : db::merged(std::move(extents))) {
      if (options_.upto) extent.last = std::min(extent.last, options_.upto(extent.spool_id));
      if (auto done = journal(extent); !done) return std::move(done).error();
    }
    if (total_.forgotten > 0 && !forget_told_) {
      total_.findings.push_back({"", "instance", "", "forgotten without a record of it"});
    }
    return std::move(total_);
  }

 private:
  Result<void> look_for_retention(const Source& source) {
    if (source.partial) return {};
    const auto from = retained_from(*source.store, sealer_);
    if (!from) return failed(source, from.error());
    for (const auto& [node, day] : *from) {
      const auto [at, added] = total_.retained_from.try_emplace(node, day);
      at->second = std::max(at->second, day);
    }
    return {};
  }

  /// Whether rows of that day were removed by right.
  bool removed(const std::string& node, Day day) const {
    const auto from = total_.retained_from.find(node);
    return from != total_.retained_from.end() && day < from->second;
  }

  static Error failed(const Source& source, const Error& why) {
    return {why.code, source.name + ": " + why.detail};
  }

  Result<void> journal(const db::Extent& extent) {
    std::optional<std::map<Day, DayHead>> kept;
    if (options_.heads) {
      auto heads = options_.heads(extent.node, extent.spool_id);
      if (!heads && heads.error().code == Errc::kCorrupt) {
        total_.findings.push_back({"heads", "", extent.node, heads.error().detail});
      } else if (!heads) {
        return std::move(heads).error();
      } else {
        kept = *std::move(heads);
      }
    }
    std::uint64_t first = 0;
    if (kept) {
      for (const auto& [day, head] : *kept) first = std::max(first, head.first);
    }
    std::vector<Chains> chains(sources_.size(), Chains(first));
    for (db::Extent span = extent; span.first <= extent.last; span.first = span.last + 1) {
      span.last = std::min(extent.last, span.first + kSpan - 1);
      auto records = settled(span);
      if (!records) return std::move(records).error();
      for (std::size_t i = 0; i < sources_.size(); ++i) chains[i].add((*records)[i]);
    }
    days(extent, kept, chains);
    return {};
  }

  /// A span that differs is read again while rows are still being written: what counts stays.
  Result<std::vector<db::Records>> settled(const db::Extent& span) {
    for (int tries = 3;; --tries) {
      std::vector<db::Records> records;
      for (const Source& source : sources_) {
        auto read = source.store->read(span);
        if (!read) return failed(source, read.error());
        // One database may have removed them, another not yet.
        const auto from = total_.retained_from.find(span.node);
        if (from != total_.retained_from.end()) drop_before(*read, from->second);
        records.push_back(*std::move(read));
      }
      Comparison one;
      SpanCompare(sources_, sealer_, one).add(records);
      if (!one.good() && tries > 0 && options_.again && options_.again()) continue;
      total_.rows += one.rows;
      total_.unsealed += one.unsealed;
      total_.forgotten += one.forgotten;
      for (Finding& finding : one.findings) total_.findings.push_back(std::move(finding));
      look_for_forget(records);
      return records;
    }
  }

  void look_for_forget(const std::vector<db::Records>& records) {
    const std::size_t kind = db::Row(db::OperatorActionRow{}).index();
    const std::size_t action = db::column_of(table_of(kind), "action");
    for (const db::Records& of : records) {
      for (const db::Record& record : of.at(kind)) {
        forget_told_ =
            forget_told_ || (record[action] == db::Cell(std::string(kForget)) &&
                             Sealer::written_seal(kind, record) == sealer_.seal_of(kind, record));
      }
    }
  }

  /// The chain of each source against the head that was kept.
  void days(const db::Extent& extent, const std::optional<std::map<Day, DayHead>>& kept,
            const std::vector<Chains>& chains) {
    std::set<Day> all;
    for (const Chains& of : chains) {
      for (const auto& [day, head] : of.days()) all.insert(day);
    }
    if (kept) {
      for (const auto& [day, head] : *kept) all.insert(day);
    }
    for (const Day day : all) {
      ComparedDay told{extent.node, extent.spool_id, day_text(day), {}, "none kept"};
      if (removed(extent.node, day)) {
        told.head = "removed";
        total_.days.push_back(std::move(told));
        continue;
      }
      for (std::size_t i = 0; i < sources_.size(); ++i) {
        const auto found = chains[i].days().find(day);
        const DayHead head = found == chains[i].days().end() ? DayHead{} : found->second;
        told.rows[sources_[i].name] = head.rows;
        if (!kept || !kept->contains(day) || sources_[i].partial) continue;
        const DayHead& expected = kept->at(day);
        // A node that runs may be ahead of what was read, or behind it with its heads.
        if (expected.last > extent.last || head.last > expected.last) continue;
        const bool good = head.rows == expected.rows && head.head == expected.head;
        if (told.head != "wrong") told.head = good ? "good" : "wrong";
        if (!good) {
          total_.findings.push_back(
              {sources_[i].name, "", extent.node + "/" + extent.spool_id + "/" + told.day,
               "the chain of the day does not lead to its head: rows=" + std::to_string(head.rows) +
                   " kept=" + std::to_string(expected.rows)});
        }
      }
      total_.days.push_back(std::move(told));
    }
  }

  const std::vector<Source>& sources_;
  const Sealer& sealer_;
  const CompareOptions& options_;
  Comparison total_;
  bool forget_told_ = false;
};

}  // namespace

Result<Comparison> compare(const std::vector<Source>& sources, const Sealer& sealer,
                           const CompareOptions& options) {
  return Comparer(sources, sealer, options).run();
}

}  // namespace dr::audit
