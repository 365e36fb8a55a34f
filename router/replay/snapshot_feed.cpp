#include "router/replay/snapshot_feed.h"

#include <thread>
#include <utility>

#include <sys/resource.h>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/audit/wake.h"
#include "router/replay/snapshot_store.h"

namespace dr::replay {
namespace {

using journal::Sequence;

constexpr int kNice = 10;
constexpr std::size_t kBatch = 200;
constexpr std::chrono::milliseconds kGather{500};
constexpr std::chrono::hours kPurgeEvery{1};
constexpr std::size_t kFirstHead = 8 * 1024;

/// Goes on reading until there are `limit` octets, or all. False: it can not be read.
bool read_up_to(journal::BodyReader& body, std::size_t limit, Bytes& octets) {
  std::size_t have = octets.size();
  octets.resize(limit);
  while (have < limit) {
    const auto n = body.read(MutableByteSpan(octets).subspan(have));
    if (!n) return false;
    if (*n == 0) break;
    have += *n;
  }
  octets.resize(have);
  return true;
}

}  // namespace

class SnapshotFeed::Impl {
 public:
  Impl(journal::Journal& journal, const Clock& clock, std::string path, SnapshotSettings settings)
      : journal_(journal),
        clock_(clock),
        path_(std::move(path)),
        settings_(std::move(settings)),
        hash_(settings_.key),
        cursor_(journal.cursor(kCursor)) {
    // Without a key a hash would hide nothing.
    if (settings_.keep == Keep::kKeyedHash && settings_.key.empty()) settings_.keep = Keep::kNone;
    wake_.advanced(journal_.watermark());
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() { stop(); }

  void advanced(Sequence watermark) { wake_.advanced(watermark); }
  void received(std::uint64_t octets) { stand_back_.received(octets); }
  void stop() {
    if (!thread_.joinable()) return;
    wake_.stop();
    thread_.join();
  }

 private:
  void run() {
    name_thread("snapshots");
    setpriority(PRIO_PROCESS, 0, kNice);  // on Linux, 0 is the calling thread
    for (;;) {
      wake_.wait(next(cursor_.position()));
      wake_.wait(Sequence{value(cursor_.position()) + kBatch}, kGather);
      if (wake_.stopping()) return;
      const auto done = step();
      if (done) {
        pause_.reset();
        continue;
      }
      store_.reset();
      log::event(log::Level::kWarning, "snapshots.waiting", {{"error", done.error().to_string()}});
      pass_over();
      wake_.pause(pause_.next());
    }
  }

  Result<void> step() {
    if (!store_) {
      auto opened = SnapshotStore::open(path_);
      if (!opened) return opened.error();
      store_ = std::move(*opened);
    }
    const Sequence watermark = journal_.watermark();
    Sequence end = cursor_.position();
    std::vector<Snapshot> batch;
    while (batch.size() < kBatch) {
      auto record = journal_.read_after(end);
      if (!record) return record.error();
      if (!*record) {
        end = std::max(end, watermark);
        stand_back_.caught_up();
        break;
      }
      end = (**record).sequence;
      if ((**record).type != journal::RecordType::kObject) continue;
      stand_back_.wait(wake_);
      stand_back_.done((**record).body_octets);
      if (auto snapshot = take(**record)) batch.push_back(std::move(*snapshot));
    }
    if (!batch.empty()) {
      if (auto written = store_->write(batch, settings_.keep); !written) return written;
    }
    cursor_.advance(end);
    return purge();
  }

  /// nullopt: it can not be read, or is finished and gone.
  std::optional<Snapshot> take(const journal::Record& record) {
    auto object = journal::decode_object(record.head);
    auto body = journal_.open_body(record.sequence);
    if (!object || !body) return std::nullopt;
    Snapshot snapshot{record.sequence, std::move(*object), {}};
    const std::uint64_t size = (*body)->size();
    Bytes head;
    // Most headers are short: more is read only where the pixel data have not been met.
    for (const std::size_t limit : {kFirstHead, kMaxHead}) {
      if (!read_up_to(**body, limit, head)) return std::nullopt;
      snapshot.header =
          cut_header(head, snapshot.object.transfer_syntax_uid, head.size() == size, settings_.keep,
                     settings_.keep == Keep::kKeyedHash ? &hash_ : nullptr);
      if (!snapshot.header.cut || head.size() < limit) break;
    }
    snapshot.object.patient_key.clear();  // what is kept of it stands in the header
    return snapshot;
  }

  Result<void> purge() {
    if (settings_.retention.count() == 0) return {};
    const SteadyTime now = clock_.now_steady();
    if (purged_ && now - *purged_ < kPurgeEvery) return {};
    purged_ = now;
    const auto removed = store_->purge(clock_.now_utc() - settings_.retention);
    if (!removed) return removed.error();
    if (*removed > 0) log::event(log::Level::kInfo, "snapshots.purged", {{"objects", *removed}});
    return {};
  }

  /// The journal is not kept for snapshots that can not be written.
  void pass_over() {
    const std::uint64_t done = value(cursor_.position());
    const std::uint64_t durable = value(journal_.watermark());
    if (durable - std::min(done, durable) <= kMostKept) return;
    cursor_.advance(Sequence{durable});
    log::event(log::Level::kError, "snapshots.lost", {{"records", durable - done}});
  }

  journal::Journal& journal_;
  const Clock& clock_;
  const std::string path_;
  SnapshotSettings settings_;
  const ValueHash hash_;
  journal::Cursor& cursor_;
  audit::Wake wake_;
  audit::StandBack stand_back_{kMostBehind};
  // What follows is of the thread.
  std::unique_ptr<SnapshotStore> store_;
  std::optional<SteadyTime> purged_;
  audit::Pause pause_;
  std::thread thread_;
};

SnapshotFeed::SnapshotFeed(journal::Journal& journal, const Clock& clock, std::string path,
                           SnapshotSettings settings)
    : impl_(std::make_unique<Impl>(journal, clock, std::move(path), std::move(settings))) {}
SnapshotFeed::~SnapshotFeed() = default;
void SnapshotFeed::advanced(Sequence watermark) { impl_->advanced(watermark); }
void SnapshotFeed::received(std::uint64_t octets) { impl_->received(octets); }
void SnapshotFeed::stop() { impl_->stop(); }

}  // namespace dr::replay
