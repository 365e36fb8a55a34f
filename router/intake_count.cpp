#include "router/intake_count.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/loss_report.h"

namespace dr {

using journal::Sequence;
using nlohmann::json;

namespace {

constexpr const char* kFile = "routed-counts";
constexpr const char* kAside = "routed-counts.new";
constexpr std::uint64_t kMostOctets = 64U << 20;
constexpr std::chrono::seconds kEvery{5};
constexpr std::size_t kDays = 400;  // kept

Error corrupt(const char* why) { return {Errc::kCorrupt, std::string(kFile) + ": " + why}; }

void note(const Result<void>& written) {
  if (written) return;
  log::event(log::Level::kWarning, "routed_counts.not_written",
             {{"error", written.error().to_string()}});
}

}  // namespace

IntakeCount::IntakeCount(journal::Journal& journal, FileSystem& files, const audit::Sealer& sealer)
    : journal_(journal), files_(files), sealer_(sealer), cursor_(journal.cursor(kFile)) {
  const Sequence watermark = journal_.watermark();
  auto known = read();
  if (known) known = catch_up(watermark);
  if (!known) {
    if (known.error().code != Errc::kNotFound) {
      log::event(log::Level::kError, "routed_counts.begun_anew",
                 {{"error", known.error().to_string()}});
    }
    days_.clear();
    since_ = position_ = watermark;
    written_.reset();
    note(write());  // from now on a crash loses no count
  }
  thread_ = std::thread([this] { run(); });
}

IntakeCount::~IntakeCount() { stop(); }

void IntakeCount::stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    stop_.notify_one();
  }
  thread_.join();
}

void IntakeCount::routed(Sequence instance, UtcMicros received,
                         const std::vector<std::string>& destinations) {
  const std::scoped_lock lock(mutex_);
  position_ = instance;
  if (destinations.empty()) return;
  Day& day = days_[day_of(received)];
  if (day.first == 0) day.first = value(instance);
  day.last = value(instance);
  for (const std::string& destination : destinations) ++day.routed[destination];
  if (days_.size() > kDays) days_.erase(days_.begin());
}

void IntakeCount::advanced(Sequence watermark) {
  const std::scoped_lock lock(mutex_);
  position_ = watermark;
}

Sequence IntakeCount::position() const {
  const std::scoped_lock lock(mutex_);
  return position_;
}

IntakeCount::Day IntakeCount::day(audit::Day day) const {
  const std::scoped_lock lock(mutex_);
  const auto found = days_.find(day);
  return found == days_.end() ? Day{} : found->second;
}

std::string IntakeCount::text() const {
  json document = {{"spool_id", journal_.spool_id()},
                   {"since", value(since_)},
                   {"position", value(position_)},
                   {"days", json::object()}};
  for (const auto& [number, day] : days_) {
    document["days"][std::to_string(number)] = {
        {"first", day.first}, {"last", day.last}, {"routed", day.routed}};
  }
  return document.dump();
}

Result<void> IntakeCount::read() {
  auto file = files_.open(kFile, FileSystem::Mode::kRead);
  if (!file) return std::move(file).error();
  const auto size = (*file)->size();
  if (!size) return size.error();
  if (*size > kMostOctets) return corrupt("too long");
  Bytes octets(static_cast<std::size_t>(*size));
  const auto n = (*file)->read_at(0, octets);
  if (!n) return n.error();
  const std::string_view text = as_text(ByteSpan(octets).first(*n));
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return corrupt("not whole");
  if (text.substr(end + 1) != sealer_.mac(text.substr(0, end)) + "\n") {
    return corrupt("not what this key has signed");
  }
  try {
    const json document = json::parse(text.substr(0, end));
    if (document.at("spool_id") != journal_.spool_id()) return corrupt("of another spool");
    since_ = Sequence{document.at("since").get<std::uint64_t>()};
    written_ = position_ = Sequence{document.at("position").get<std::uint64_t>()};
    for (const auto& [number, day] : document.at("days").items()) {
      days_[std::stoll(number)] = {day.at("first"), day.at("last"), day.at("routed")};
    }
  } catch (const std::exception&) {  // of the parser: not what text() writes
    return corrupt("not what was written");
  }
  return {};
}

Result<void> IntakeCount::catch_up(Sequence watermark) {
  for (Sequence at = position_; at < watermark;) {
    const auto record = journal_.read_after(at);
    if (!record) return record.error();
    if (!*record) break;
    at = (*record)->sequence;
    if ((*record)->type != journal::RecordType::kObject) continue;
    const auto object = journal::decode_object((*record)->head);
    if (!object) continue;  // told as damage, and never delivered
    std::vector<std::string> destinations;
    for (const auto& route : object->routes) destinations.push_back(route.destination);
    routed(at, object->received, destinations);
  }
  return {};
}

void IntakeCount::run() {
  name_thread("routed-counts");
  for (bool last = false; !last;) {
    {
      std::unique_lock lock(mutex_);
      last = stop_.wait_for(lock, kEvery, [this] { return stopping_; });
    }
    note(write());
  }
}

Result<void> IntakeCount::write() {
  std::string text;
  Sequence position;
  {
    const std::scoped_lock lock(mutex_);
    if (position_ == written_) return {};
    position = position_;
    text = this->text();
  }
  text += "\n" + sealer_.mac(text) + "\n";
  // What a crash has left aside is not what is to be written now.
  if (auto gone = files_.unlink(kAside); !gone && gone.error().code != Errc::kNotFound) return gone;
  auto file = files_.open(kAside, FileSystem::Mode::kCreateNew);
  if (!file) return std::move(file).error();
  const ByteSpan octets = as_bytes(std::string_view(text));
  if (auto done = (*file)->write_at(0, {&octets, 1}); !done) return done;
  if (auto done = (*file)->sync(); !done) return done;
  if (auto done = (*file)->close(); !done) return done;
  if (auto done = files_.rename(kAside, kFile); !done) return done;
  if (auto done = files_.sync_dir(""); !done) return done;
  written_ = position;
  cursor_.advance(position);
  return {};
}

}  // namespace dr
