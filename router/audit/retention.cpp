#include "router/audit/retention.h"

#include <algorithm>
#include <thread>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/audit/line_file.h"
#include "router/audit/wake.h"

namespace dr::audit {
namespace {

constexpr std::uint64_t kSpan = 5'000;  // sequences
constexpr std::chrono::hours kLooksEvery{1};
constexpr const char* kFile = "retention";

}  // namespace

class Retention::Impl {
 public:
  Impl(journal::Journal& journal, FileSystem& files, const Clock& clock,
       std::chrono::milliseconds keep)
      : journal_(journal), files_(files), clock_(clock), keep_(keep) {
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    wake_.stop();
    thread_.join();
  }

 private:
  void run() {
    name_thread("audit-keep");
    do {
      if (const auto done = due(); !done) {
        log::event(log::Level::kWarning, "audit.retention", {{"error", done.error().to_string()}});
      }
      wake_.pause(kLooksEvery);
    } while (!wake_.stopping());
  }

  Result<void> due() {
    const Day day =
        day_of(clock_.now_utc() - std::chrono::duration_cast<std::chrono::microseconds>(keep_));
    const auto last = read_line(files_, kHeadFolder, kFile);
    if (!last && last.error().code != Errc::kNotFound) return last.error();
    if (last && day_from(*last) >= day) return {};
    journal::OperatorRecord record;
    record.time = clock_.now_utc();
    record.who = "[retention] audit";
    record.action = kRetention;
    record.target = day_text(day);
    record.detail = "rows from before that day, in every audit database";
    if (auto appended = journal_.append(record); !appended) return appended;
    return write_line(files_, kHeadFolder, kFile, day_text(day));
  }

  journal::Journal& journal_;
  FileSystem& files_;
  const Clock& clock_;
  const std::chrono::milliseconds keep_;
  Wake wake_;
  std::thread thread_;
};

Retention::Retention(journal::Journal& journal, FileSystem& files, const Clock& clock,
                     std::chrono::milliseconds keep)
    : impl_(std::make_unique<Impl>(journal, files, clock, keep)) {}
Retention::~Retention() = default;
void Retention::stop() { impl_->stop(); }

Result<std::uint64_t> prune_before(db::AuditStore& store, const std::string& node, Day day,
                                   const std::function<bool()>& stopping) {
  const auto extents = store.extents();
  if (!extents) return extents.error();
  std::uint64_t removed = 0;
  for (db::Extent span : *extents) {
    if (span.node != node) continue;
    for (const std::uint64_t last = span.last; span.first <= last; span.first = span.last + 1) {
      if (stopping()) return Error{Errc::kCancelled, "stopping"};
      span.last = std::min(last, span.first + kSpan - 1);
      const auto pruned = store.prune(span, start_of(day));
      if (!pruned) return pruned.error();
      removed += *pruned;
    }
  }
  return removed;
}

Result<std::map<std::string, Day>> retained_from(db::AuditStore& store, const Sealer& sealer) {
  std::map<std::string, Day> from;
  const std::size_t kind = db::Row(db::OperatorActionRow{}).index();
  const db::Table& table = db::tables().at(kind);
  const auto records = store.actions(kRetention);
  if (!records) return records.error();
  for (const db::Record& record : *records) {
    if (Sealer::written_seal(kind, record) != sealer.seal_of(kind, record)) continue;
    const auto day = day_from(std::get<std::string>(record[db::column_of(table, "target")]));
    const auto& node = std::get<std::string>(record[db::column_of(table, "node")]);
    if (!day) continue;
    const auto [at, added] = from.try_emplace(node, *day);
    at->second = std::max(at->second, *day);
  }
  return from;
}

}  // namespace dr::audit
