#include "router/audit/feed.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/audit/forget.h"
#include "router/audit/retention.h"
#include "router/audit/rows.h"
#include "router/audit/wake.h"

namespace dr::audit {
namespace {

using journal::Sequence;

// One transaction syncs once: gathering keeps that from taking the disk from the journal.
constexpr std::chrono::milliseconds kGather{100};
constexpr std::size_t kBatchRows = 1000;
constexpr std::size_t kBatchOctets = 4U << 20;

/// Rows of one transaction, and the place that the cursor has once they are written.
struct Batch {
  std::vector<db::Row> rows;
  Sequence end{};
  std::size_t refused = 0;  // records that can not be read as what they say they are
};

}  // namespace

class Feed::Impl {
 public:
  Impl(std::string sink, Open open, journal::Journal& journal, std::string node, FeedEvents events,
       const Sealer* sealer)
      : sink_(std::move(sink)),
        open_(std::move(open)),
        journal_(journal),
        node_(std::move(node)),
        events_(std::move(events)),
        sealer_(sealer),
        cursor_(journal.cursor("audit-" + sink_)) {
    wake_.advanced(journal_.watermark());
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() { stop(std::chrono::milliseconds(0)); }

  void advanced(Sequence watermark) { wake_.advanced(watermark); }

  void stop(std::chrono::milliseconds at_most) {
    if (!thread_.joinable()) return;
    deadline_ = std::chrono::steady_clock::now() + at_most;
    wake_.stop();
    thread_.join();
  }

  const std::string& sink() const { return sink_; }
  std::uint64_t lag() const {
    const std::uint64_t done = value(cursor_.position());
    const std::uint64_t durable = value(journal_.watermark());
    return durable > done ? durable - done : 0;
  }
  bool wait_written(Sequence sequence, std::chrono::milliseconds at_most) const {
    std::unique_lock lock(written_mutex_);
    return written_.wait_for(lock, at_most, [&] { return cursor_.position() >= sequence; });
  }

 private:
  void run() {
    name_thread("audit");
    while (gather()) {
      const auto done = step();
      if (done) {
        pause_.reset();
        continue;
      }
      store_.reset();  // a connection that has failed is never used again
      if (wake_.stopping()) break;
      const auto length = pause_.next();
      log::event(log::Level::kWarning, "audit.waiting",
                 {{"sink", sink_},
                  {"error", done.error().to_string()},
                  {"lag", lag()},
                  {"retry_ms", length.count()}});
      wake_.pause(length);
    }
    store_.reset();
  }

  /// Waits until there is enough to write. False: it is time to end.
  bool gather() {
    const Sequence position = cursor_.position();
    wake_.wait(next(position));
    wake_.wait(Sequence{value(position) + kBatchRows}, kGather);
    return !wake_.stopping() || (lag() > 0 && std::chrono::steady_clock::now() < deadline_.load());
  }

  Result<void> step() {
    if (!store_) {
      auto opened = open_();
      if (!opened) return std::move(opened).error();
      store_ = std::move(*opened);
      log::event(log::Level::kInfo, "audit.open", {{"sink", sink_}, {"lag", lag()}});
    }
    const auto batch = read();
    if (!batch) return batch.error();
    std::size_t refused = 0;
    if (auto written = write(batch->rows, refused); !written) return written;
    if (auto forgotten = forget(batch->rows); !forgotten) return forgotten;
    if (auto gone = forget_late_results(batch->rows); !gone) return gone;
    if (auto pruned = prune(batch->rows); !pruned) return pruned;
    {
      const std::scoped_lock lock(written_mutex_);
      cursor_.advance(batch->end);
    }
    written_.notify_all();
    const std::size_t rows = batch->rows.size() - refused;
    refused += batch->refused;
    if (rows > 0 && events_.written) events_.written(sink_, rows);
    if (refused > 0 && events_.refused) events_.refused(sink_, refused);
    return {};
  }

  Result<Batch> read() {
    // What is passed over at the end because it is damaged lies below this mark all the same.
    const Sequence watermark = journal_.watermark();
    Batch batch;
    batch.end = cursor_.position();
    std::size_t octets = 0;
    while (batch.rows.size() < kBatchRows && octets < kBatchOctets) {
      auto record = journal_.read_after(batch.end);
      if (!record) return std::move(record).error();
      if (!*record) {
        batch.end = std::max(batch.end, watermark);
        break;
      }
      batch.end = (**record).sequence;
      octets += (**record).head.size();
      auto rows = rows_of(**record, node_, journal_.spool_id());
      if (!rows) {
        refuse(value(batch.end), rows.error());
        ++batch.refused;
        continue;
      }
      for (db::Row& row : *rows) {
        if (sealer_ != nullptr) sealer_->seal(row);
        batch.rows.push_back(std::move(row));
      }
    }
    return batch;
  }

  /// Rows of which the database refuses one are halved until that one is alone; it is passed over.
  Result<void> write(std::span<const db::Row> rows, std::size_t& refused) {
    if (rows.empty()) return {};
    auto written = store_->write(rows);
    if (written || written.error().code != Errc::kInvalid) return written;
    if (rows.size() == 1) {
      refuse(std::visit([](const auto& row) { return row.key.sequence; }, rows.front()),
             written.error());
      ++refused;
      return {};
    }
    const std::size_t half = rows.size() / 2;
    if (auto first = write(rows.first(half), refused); !first) return first;
    return write(rows.subspan(half), refused);
  }

  /// An operator's "forget" is carried out where it stands in the stream: in every database, in one
  /// that was down later, and again in one that is written anew.
  Result<void> forget(std::span<const db::Row> rows) {
    for (const db::Row& row : rows) {
      const auto* action = std::get_if<db::OperatorActionRow>(&row);
      if (action == nullptr || action->action != kForget || sealer_ == nullptr) continue;
      auto forgotten = forget_patient(*store_, *sealer_, *action);
      if (!forgotten) return std::move(forgotten).error();
      log::event(log::Level::kInfo, "audit.forgotten", {{"sink", sink_}, {"objects", *forgotten}});
    }
    return {};
  }

  /// A result may come by when its object is forgotten already: it was on its way.
  Result<void> forget_late_results(std::span<const db::Row> rows) {
    std::optional<db::Extent> extent;
    for (const db::Row& row : rows) {
      if (db::delete_forgotten(row.index()).empty()) continue;
      const db::Key& key = std::visit([](const auto& r) -> const db::Key& { return r.key; }, row);
      if (!extent) extent = db::Extent{key.node, key.spool_id, key.sequence, key.sequence};
      extent->first = std::min(extent->first, key.sequence);
      extent->last = std::max(extent->last, key.sequence);
    }
    return extent ? store_->forget_results(*extent) : Result<void>();
  }

  /// So is [retention] audit, but for an account that may not delete, or a server that goes away
  /// meanwhile: the stream goes on, and the next day's record removes what was left.
  Result<void> prune(std::span<const db::Row> rows) {
    std::optional<Day> before;
    for (const db::Row& row : rows) {
      const auto* action = std::get_if<db::OperatorActionRow>(&row);
      if (action != nullptr && action->action == kRetention) before = day_from(action->target);
    }
    if (!before) return {};
    const auto pruned = prune_before(*store_, node_, *before, [this] { return wake_.stopping(); });
    if (!pruned && pruned.error().code == Errc::kCancelled) return pruned.error();
    if (pruned) {
      log::event(log::Level::kInfo, "audit.pruned",
                 {{"sink", sink_}, {"before", day_text(*before)}, {"rows", *pruned}});
    } else {
      log::event(log::Level::kError, "audit.retention",
                 {{"sink", sink_}, {"error", pruned.error().to_string()}});
      store_.reset();
    }
    return {};
  }

  void refuse(std::uint64_t sequence, const Error& why) const {
    log::event(log::Level::kError, "audit.refused",
               {{"sink", sink_}, {"sequence", sequence}, {"error", why.to_string()}});
  }

  const std::string sink_;
  const Open open_;
  journal::Journal& journal_;
  const std::string node_;
  const FeedEvents events_;
  const Sealer* const sealer_;
  journal::Cursor& cursor_;
  Wake wake_;
  mutable std::mutex written_mutex_;
  mutable std::condition_variable written_;  // the cursor has moved
  std::atomic<SteadyTime> deadline_{};
  std::unique_ptr<db::AuditStore> store_;  // of the thread
  Pause pause_;                            // likewise
  std::thread thread_;
};

Feed::Feed(std::string sink, Open open, journal::Journal& journal, std::string node,
           FeedEvents events, const Sealer* sealer)
    : impl_(std::make_unique<Impl>(std::move(sink), std::move(open), journal, std::move(node),
                                   std::move(events), sealer)) {}
Feed::~Feed() = default;
void Feed::advanced(Sequence watermark) { impl_->advanced(watermark); }
void Feed::stop(std::chrono::milliseconds at_most) { impl_->stop(at_most); }
const std::string& Feed::sink() const { return impl_->sink(); }
bool Feed::wait_written(Sequence sequence, std::chrono::milliseconds at_most) const {
  return impl_->wait_written(sequence, at_most);
}
std::uint64_t Feed::lag() const { return impl_->lag(); }

}  // namespace dr::audit
