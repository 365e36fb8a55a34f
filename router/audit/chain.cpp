#include "router/audit/chain.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <ctime>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/audit/line_file.h"
#include "router/audit/rows.h"
#include "router/audit/wake.h"

namespace dr::audit {
namespace {

using journal::Sequence;

constexpr std::size_t kSequence = 2;  // where it stands in every row

bool chained(const db::Table& table) {
  return table.on_conflict == db::OnConflict::kKeep || table.on_conflict == db::OnConflict::kFillIn;
}

std::uint64_t sequence_of(const db::Record& record) {
  return static_cast<std::uint64_t>(std::get<std::int64_t>(record.at(kSequence)));
}

Day day_of(const db::Cell& time) {
  return audit::day_of(from_micros(std::get<std::int64_t>(time)));
}

}  // namespace

Day day_of(UtcMicros time) {
  return std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
}

UtcMicros start_of(Day day) { return UtcMicros(std::chrono::hours(24) * day); }

std::optional<Day> day_from(const std::string& text) {
  std::tm parts{};
  const char* const end = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const Day day = ::timegm(&parts) / 86'400;
  return day_text(day) == text ? std::optional(day) : std::nullopt;
}

void drop_before(db::Records& records, Day day) {
  const std::size_t instance = db::Row(db::InstanceRow{}).index();
  const std::size_t received = db::column_of(db::tables().at(instance), "received");
  std::set<std::uint64_t> old;
  for (const db::Record& record : records.at(instance)) {
    if (day_of(record[received]) < day) old.insert(sequence_of(record));
  }
  for (std::size_t kind = 0; kind < db::kKinds; ++kind) {
    const db::Table& table = db::tables().at(kind);
    const std::size_t time = db::column_of(table, db::time_column(table));
    std::erase_if(records.at(kind), [&](const db::Record& record) {
      return time < record.size() ? day_of(record[time]) < day : old.contains(sequence_of(record));
    });
  }
}

std::string day_text(Day day) {
  const std::time_t seconds = day * 86'400;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
  return text.data();
}

void Chains::add(const db::Records& records) {
  struct Link {
    std::uint64_t sequence;
    std::size_t kind;
    const db::Record* record;
  };
  std::vector<Link> links;
  std::map<std::uint64_t, Day> days;
  for (std::size_t kind = 0; kind < db::kKinds; ++kind) {
    const db::Table& table = db::tables().at(kind);
    if (!chained(table)) continue;
    const std::size_t time = db::column_of(table, db::time_column(table));
    for (const db::Record& record : records.at(kind)) {
      links.push_back({sequence_of(record), kind, &record});
      if (time < record.size()) {
        days.try_emplace(links.back().sequence, day_of(record[time]));
      }
    }
  }
  std::ranges::sort(links, [](const Link& a, const Link& b) {
    return std::tie(a.sequence, a.kind, *a.record) < std::tie(b.sequence, b.kind, *b.record);
  });
  // Those of one record are added together, and none of them twice.
  std::set<std::uint64_t> passed;
  std::uint64_t current = 0;
  for (const Link& link : links) {
    const std::string& seal = Sealer::written_seal(link.kind, *link.record);
    const auto day = days.find(link.sequence);
    if (seal.empty() || day == days.end()) continue;
    const auto [at, added] = days_.try_emplace(day->second, DayHead{.first = first_});
    DayHead& head = at->second;
    if (link.sequence != current) {
      current = link.sequence;
      if (link.sequence < head.first || link.sequence <= head.last) passed.insert(link.sequence);
    }
    if (passed.contains(link.sequence)) continue;
    head.head = sha256_hex(head.head + seal);
    head.last = link.sequence;
    ++head.rows;
  }
}

std::string HeadFiles::text(Day day, const DayHead& head) const {
  std::ostringstream out;
  out << "1 " << node_ << ' ' << spool_id_ << ' ' << day_text(day) << ' ' << head.first << ' '
      << head.rows << ' ' << head.last << ' ' << (head.head.empty() ? "-" : head.head);
  return out.str();
}

Result<void> HeadFiles::write(Day day, const DayHead& head) {
  const std::string body = text(day, head);
  return write_line(files_, kHeadFolder, std::to_string(day), body + " " + sealer_.mac(body));
}

Result<std::map<Day, DayHead>> HeadFiles::read() const {
  std::map<Day, DayHead> days;
  const auto names = files_.list(kHeadFolder);
  if (!names && names.error().code == Errc::kNotFound) return days;
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (name.find_first_not_of("0123456789") != std::string::npos || name.size() > 9) continue;
    auto line = read_line(files_, kHeadFolder, name);
    if (!line) return std::move(line).error();
    std::istringstream in(*std::move(line));
    std::string version, node, spool_id, day, mac;
    DayHead head;
    in >> version >> node >> spool_id >> day >> head.first >> head.rows >> head.last >> head.head >>
        mac;
    if (head.head == "-") head.head.clear();
    const Day number = std::stoll(name);
    if (!in || mac != sealer_.mac(text(number, head))) {
      return Error{Errc::kCorrupt, std::string(kHeadFolder) + "/" + name + " (" + day_text(number) +
                                       "): not what this key has signed"};
    }
    days.emplace(number, std::move(head));
  }
  return days;
}

class ChainKeeper::Impl {
 public:
  Impl(journal::Journal& journal, FileSystem& files, const Sealer& sealer, std::string node)
      : journal_(journal),
        sealer_(sealer),
        node_(std::move(node)),
        files_(files, sealer, node_, journal.spool_id()),
        cursor_(journal.cursor("audit-chain")),
        at_start_(journal.watermark()) {
    wake_.advanced(at_start_);
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

 private:
  // Each step syncs twice: seldom, so that it takes no disk time from the journal.
  static constexpr std::chrono::milliseconds kGather{2'000};
  static constexpr std::size_t kRecords = 20'000;

  void run() {
    name_thread("audit-chain");
    while (gather()) {
      if (const auto done = step(); done) {
        pause_.reset();
      } else {
        chains_.reset();
        if (wake_.stopping()) return;
        log::event(log::Level::kWarning, "audit.chain", {{"error", done.error().to_string()}});
        wake_.pause(pause_.next());
      }
    }
  }

  bool gather() {
    const Sequence position = cursor_.position();
    wake_.wait(next(position));
    wake_.wait(Sequence{value(position) + kRecords}, kGather);
    return !wake_.stopping() ||
           (position < journal_.watermark() && std::chrono::steady_clock::now() < deadline_.load());
  }

  /// What a restart finds; a spool that has known no key starts with what comes from now on.
  Result<void> load() {
    auto days = files_.read();
    if (!days) return std::move(days).error();
    if (days->empty()) {
      if (cursor_.position() == Sequence::kNone && at_start_ != Sequence::kNone) {
        cursor_.advance(at_start_);
      }
      first_ = value(cursor_.position()) + 1;
    }
    for (const auto& [day, head] : *days) first_ = std::max(first_, head.first);
    chains_.emplace(first_);
    chains_->days() = *std::move(days);
    return {};
  }

  Result<void> step() {
    if (!chains_) {
      if (auto loaded = load(); !loaded) return loaded;
    }
    const std::map<Day, DayHead> before = chains_->days();
    const Sequence watermark = journal_.watermark();
    Sequence end = cursor_.position();
    std::vector<db::Row> rows;
    for (std::size_t i = 0; i < kRecords; ++i) {
      auto record = journal_.read_after(end);
      if (!record) return std::move(record).error();
      if (!*record) {
        end = std::max(end, watermark);
        break;
      }
      end = (**record).sequence;
      auto made = rows_of(**record, node_, journal_.spool_id());
      if (!made) continue;  // the feeds pass it over as well
      for (db::Row& row : *made) sealer_.seal(rows.emplace_back(std::move(row)));
    }
    chains_->add(db::records_by_kind(rows));
    for (const auto& [day, head] : chains_->days()) {
      const auto old = before.find(day);
      if (old != before.end() && old->second == head) continue;
      if (auto written = files_.write(day, head); !written) return written;
    }
    cursor_.advance(end);
    return {};
  }

  journal::Journal& journal_;
  const Sealer& sealer_;
  const std::string node_;
  HeadFiles files_;
  journal::Cursor& cursor_;
  const Sequence at_start_;
  Wake wake_;
  std::atomic<SteadyTime> deadline_{};
  std::uint64_t first_ = 0;       // of the thread
  std::optional<Chains> chains_;  // likewise
  Pause pause_;                   // likewise
  std::thread thread_;
};

ChainKeeper::ChainKeeper(journal::Journal& journal, FileSystem& files, const Sealer& sealer,
                         std::string node)
    : impl_(std::make_unique<Impl>(journal, files, sealer, std::move(node))) {}
ChainKeeper::~ChainKeeper() = default;
void ChainKeeper::advanced(Sequence watermark) { impl_->advanced(watermark); }
void ChainKeeper::stop(std::chrono::milliseconds at_most) { impl_->stop(at_most); }

}  // namespace dr::audit
