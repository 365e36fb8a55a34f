#include "router/journal/recovery.h"

#include <algorithm>
#include <map>
#include <optional>

#include "router/journal/checkpoint.h"
#include "router/journal/large_files.h"
#include "router/journal/moved_head.h"
#include "router/journal/scanner.h"

namespace dr::journal {
namespace {

class Recovery {
 public:
  Recovery(FileSystem& files, UtcMicros now) : files_(files), now_(now) {}

  Result<Recovered> run() {
    if (auto loaded = load(); !loaded) return std::move(loaded).error();
    take_facts();
    drop_given_up();
    order_groups();
    if (known_) begin_behind(*known_);
    if (auto walked = walk(); !walked) return std::move(walked).error();
    set_sync_times();
    if (known_) settle_known();
    finish();
    return std::move(out_);
  }

 private:
  struct Step {
    LoadedSegment* file;
    FoundGroup group;
  };

  /// The newest checkpoint, and what stands behind it; all segments where that is not to be had.
  Result<void> load() {
    auto checkpoint = CheckpointFiles(files_).newest(out_.report.findings);
    if (!checkpoint) return std::move(checkpoint).error();
    known_ = std::move(*checkpoint);
    auto loaded = load_segments(files_, known_ ? &*known_ : nullptr);
    if (loaded && known_ && !known_->segments.newest()->file) {
      find(kCheckpointDir, 0, "the last segment of it is missing, more is read instead");
      known_.reset();
      loaded = load_segments(files_, nullptr);
    }
    if (!loaded) return std::move(loaded).error();
    loaded_ = std::move(loaded->segments);
    out_.free = std::move(loaded->free);
    auto& findings = out_.report.findings;
    findings.insert(findings.end(), loaded->findings.begin(), loaded->findings.end());
    return {};
  }

  /// What any whole header says about the past stays true, whatever became of its group.
  void take_facts() {
    if (known_) {
      durable_ = known_->group;
      out_.oldest_segment = known_->oldest_segment;
      out_.next_segment = known_->segments.newest()->number + 1;
      out_.next_group = known_->group + 1;
      out_.next_sequence = journal::next(known_->watermark);
    }
    for (const LoadedSegment& each : loaded_) {
      out_.next_segment = std::max(out_.next_segment, each.segment->number + 1);
      if (each.header) {
        out_.next_group = std::max(out_.next_group, each.header->first_group + 1);
        out_.next_sequence = std::max(out_.next_sequence, each.header->first_sequence);
      }
      for (const FoundGroup& group : each.groups) {
        durable_ = std::max(durable_, group.header.durable_group);
        out_.oldest_segment = std::max(out_.oldest_segment, group.header.oldest_segment);
        out_.next_group = std::max(out_.next_group, group.header.group + 1);
        out_.next_sequence =
            std::max(out_.next_sequence,
                     Sequence{value(group.header.first_sequence) + group.header.records});
      }
    }
  }

  void set_free(LoadedSegment& loaded) {
    out_.free.push_back(
        {loaded.segment->name, std::move(loaded.segment->file), loaded.segment->capacity});
  }

  void drop_given_up() {
    std::erase_if(loaded_, [this](LoadedSegment& each) {
      const bool old = each.segment->number < out_.oldest_segment;
      if (old) set_free(each);
      return old;
    });
    std::sort(loaded_.begin(), loaded_.end(), [](const LoadedSegment& a, const LoadedSegment& b) {
      return a.segment->number < b.segment->number;
    });
  }

  /// All groups by number, without those that a later epoch has cut.
  void order_groups() {
    for (LoadedSegment& each : loaded_) {
      for (const FoundGroup& group : each.groups) steps_.push_back({&each, group});
    }
    std::stable_sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) {
      return a.group.header.group < b.group.header.group;
    });
    std::vector<std::pair<std::uint64_t, std::uint64_t>> cuts;
    for (const Step& step : steps_) {
      const GroupHeader& h = step.group.header;
      if (h.opens_epoch) cuts.emplace_back(h.durable_group, h.group);
    }
    std::erase_if(steps_, [&](const Step& step) {
      const std::uint64_t group = step.group.header.group;
      return std::any_of(cuts.begin(), cuts.end(), [group](const auto& cut) {
        return cut.first < group && group < cut.second;
      });
    });
  }

  /// The checkpoint stands for all groups up to its own.
  void begin_behind(Checkpoint& known) {
    const std::shared_ptr<Segment> tail = known.segments.newest();
    out_.checkpoint = out_.last_group = known.group;
    out_.first_unsynced_segment = tail->number;
    out_.segments = std::move(known.segments);
    out_.ledger = std::move(known.ledger);
    out_.large = std::move(known.large);
    tail_ = known.watermark;
    const auto at = std::ranges::find(loaded_, tail, &LoadedSegment::segment);
    if (at == loaded_.end()) return;  // given up since
    FoundGroup before;                // that ends where the checkpoint does
    before.offset = known.tail_offset - kPage;
    before.header.epoch = tail->epochs.back().epoch;
    before.header.group = known.group;
    before.header.segment = tail->number;
    before.header.octets = static_cast<std::uint32_t>(kPage - kGroupHeaderSize);
    last_kept_ = Step{&*at, before};
  }

  /// Segments that the checkpoint knew, and that were given up since: as a whole, because they and
  /// all before them were finished, or each for itself, because all in it was.
  void settle_known() {
    out_.segments.erase_if([this](const std::shared_ptr<Segment>& segment) {
      const bool given_up = segment->number < out_.oldest_segment;
      if (segment->file && !given_up) return false;
      const auto live = out_.ledger.in_segment(*segment);
      for (const Sequence instance : live) {
        given_up ? out_.ledger.forget(instance) : out_.ledger.mark_damaged(instance);
      }
      if (given_up && segment->file) {
        out_.free.push_back({segment->name, std::move(segment->file), segment->capacity});
      }
      if (given_up || live.empty()) return true;
      segment->name = std::string(kJournalDir) + "/ segment " + std::to_string(segment->number);
      find(segment->name, 0, "missing, objects=" + std::to_string(live.size()));
      out_.report.damaged_records += live.size();
      segment->offsets.clear();
      return false;
    });
    for (const LargeFile& file : out_.large) check_large(file);
  }

  Result<void> walk() {
    std::uint64_t expected = last_kept_ ? known_->group + 1 : first_group();
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const GroupHeader& h = steps_[i].group.header;
      const std::uint64_t missing_to = h.opens_epoch ? h.durable_group + 1 : h.group;
      if (expected < missing_to) {
        if (expected > durable_) return cut(i);  // a torn group: what follows it was not durable
        if (auto saved = salvage(i); !saved) return saved;
      }
      auto kept = keep(steps_[i]);
      if (!kept) return std::move(kept).error();
      if (!*kept) return cut(i);
      expected = h.group + 1;
    }
    if (expected <= durable_) {
      find(kJournalDir, 0,
           "groups " + std::to_string(expected) + " to " + std::to_string(durable_) + " missing");
      ++out_.report.damaged_records;
    }
    return torn_header();
  }

  std::uint64_t first_group() const {
    if (!loaded_.empty() && loaded_.front().header) return loaded_.front().header->first_group;
    return steps_.empty() ? 1 : steps_.front().group.header.group;
  }

  /// Takes one group in. False: it is torn, and not known to be durable.
  Result<bool> keep(const Step& step) {
    const GroupHeader& h = step.group.header;
    Segment& segment = *step.file->segment;
    FileWindow window(*segment.file, segment.capacity);
    RecordScanner scanner(window, h.epoch, segment.number);
    if (h.group > durable_) {
      auto whole = scanner.whole(step.group.records_begin(), step.group.records_end(), h.records);
      if (!whole || !*whole) return whole;
    }
    enter(step);
    std::vector<Finding> findings;
    auto visited = scanner.scan(
        step.group.records_begin(), step.group.records_end(),
        Sequence{value(h.first_sequence) + h.records},
        [&](const FoundRecord& record) { take(step.file->segment, record, scanner); }, findings);
    if (!visited) return std::move(visited).error();
    tell(segment, findings);
    if (*visited < h.records) out_.report.damaged_records += h.records - *visited;
    last_kept_ = step;
    tail_ = std::max(tail_, Sequence{value(h.first_sequence) - 1});
    out_.last_group = h.group;
    groups_.push_back({step.file->segment, segment.groups.size() - 1, h.group});
    return true;
  }

  /// The segment and the epoch that a group brings with it.
  void enter(const Step& step) {
    const GroupHeader& h = step.group.header;
    const std::shared_ptr<Segment>& segment = step.file->segment;
    if (out_.segments.empty() || out_.segments.newest() != segment) {
      segment->first_sequence =
          step.file->header ? step.file->header->first_sequence : h.first_sequence;
      out_.segments.push(segment);
    }
    if (segment->epochs.empty() || segment->epochs.back().epoch != h.epoch) {
      segment->epochs.push_back({step.group.offset, h.epoch});
    }
    segment->groups.push_back(
        {static_cast<std::uint32_t>(value(h.first_sequence) - value(segment->first_sequence)), {}});
  }

  /// A group below the watermark whose header is damaged: its records, as far as they are whole,
  /// stand between the groups before and behind it.
  Result<void> salvage(std::size_t next) {
    const Step& step = steps_[next];
    std::uint64_t saved = 0;
    std::uint64_t begin = kFirstGroup;
    if (last_kept_) {
      const Step& before = *last_kept_;
      begin = round_up(before.group.records_end(), kPage);
      if (before.file != step.file) {
        auto n = salvage_range(before, begin, before.file->segment->capacity, next);
        if (!n) return std::move(n).error();
        saved += *n;
        begin = kFirstGroup;
      }
    }
    if (begin < step.group.offset) {
      auto n = salvage_range(step, begin, step.group.offset, next);
      if (!n) return std::move(n).error();
      saved += *n;
    }
    const std::uint64_t expected = value(step.group.header.first_sequence) - value(tail_) - 1;
    if (!step.group.header.opens_epoch && saved < expected) {
      out_.report.damaged_records += expected - saved;
    }
    return {};
  }

  Result<std::uint64_t> salvage_range(const Step& epoch_of, std::uint64_t begin, std::uint64_t end,
                                      std::size_t next) {
    LoadedSegment& file = *epoch_of.file;
    find(file.segment->name, begin, "group header");
    Step entered = epoch_of;
    entered.group.offset = begin;
    entered.group.header.first_sequence = journal::next(tail_);
    enter(entered);
    FileWindow window(*file.segment->file, file.segment->capacity);
    RecordScanner scanner(window, epoch_of.group.header.epoch, file.segment->number);
    std::vector<Finding> ignored;  // between records there are headers and padding
    auto visited = scanner.scan(
        begin, end, steps_[next].group.header.first_sequence,
        [&](const FoundRecord& record) { take(file.segment, record, scanner); }, ignored);
    if (!visited) return std::move(visited).error();
    return *visited;
  }

  void take(const std::shared_ptr<Segment>& segment, const FoundRecord& record,
            RecordScanner& scanner) {
    ++out_.report.records;
    const RecordHeader& h = record.header;
    if (h.type == RecordType::kMoved) {
      take_moved(segment, record);
    } else {
      segment->add(h.sequence, record.offset);
      tail_ = std::max(tail_, h.sequence);
    }
    if (h.type == RecordType::kObject) {
      const auto object = decode_object(record.head);
      if (!object) return undecodable(*segment, record);
      out_.ledger.add(h.sequence, object->routes, {segment, record.offset}, h.total_octets());
    } else if (h.type == RecordType::kOutcome) {
      const auto outcome = decode_outcome(record.head);
      if (!outcome) return undecodable(*segment, record);
      if (out_.ledger.apply(*outcome)) out_.ledger.release(outcome->instance);
    }
    if ((h.flags & kLargeBody) != 0) take_large(*segment, record, scanner);
  }

  void take_moved(const std::shared_ptr<Segment>& segment, const FoundRecord& record) {
    const Sequence instance = record.header.sequence;
    const auto moved = decode_moved(record.head);
    const auto object = moved ? decode_object(moved->object) : moved.error();
    if (!object) return undecodable(*segment, record);
    const Place place{segment, record.offset};
    if (out_.ledger.contains(instance)) {
      out_.ledger.move(instance, place, record.header.total_octets());
    } else {
      out_.ledger.add(instance, object->routes, place, record.header.total_octets());
    }
    bool finished = false;
    for (const OutcomeRecord& state : moved->states) finished = out_.ledger.apply(state);
    if (finished) out_.ledger.release(instance);
  }

  void take_large(Segment& segment, const FoundRecord& record, RecordScanner& scanner) {
    const Sequence instance = record.header.sequence;
    LargeRefOctets octets{};
    const std::uint64_t at = record.offset + record.header.body_offset();
    const auto body = scanner.body_whole(record);
    const auto n = segment.file->read_at(at, octets);
    const auto ref = decode_large_ref(octets);
    if (!body || !*body || !n || !ref) {
      find(segment.name, record.offset, "large object's reference");
      return out_.ledger.mark_damaged(instance);
    }
    std::string name = large_file_name(*ref);
    if (!out_.ledger.contains(instance)) {
      out_.large.push_back({instance, std::move(name), ref->octets});
      return;
    }
    check_large(out_.large.emplace_back(LargeFile{instance, std::move(name), ref->octets}));
  }

  void check_large(const LargeFile& large) {
    if (!out_.ledger.contains(large.instance)) return;
    const auto file = files_.open(large.name, FileSystem::Mode::kRead);
    const auto size = file ? (*file)->size() : Result<std::uint64_t>(file.error());
    if (size && *size == large.octets) return;
    find(large.name, 0, "missing or shortened");
    out_.ledger.mark_damaged(large.instance);
  }

  void undecodable(const Segment& segment, const FoundRecord& record) {
    ++out_.report.damaged_records;
    find(segment.name, record.offset,
         "head of record " + std::to_string(value(record.header.sequence)) + " makes no sense");
  }

  /// Steps from `first` on are not durable: they go, whole.
  Result<void> cut(std::size_t first) {
    for (std::size_t i = first; i < steps_.size(); ++i) {
      const FoundGroup& group = steps_[i].group;
      const std::uint64_t octets = kGroupHeaderSize + group.header.octets;
      out_.report.cut_octets += octets;
      find(steps_[i].file->segment->name, group.offset,
           "torn group " + std::to_string(group.header.group) +
               " cut, octets=" + std::to_string(octets));
    }
    return {};
  }

  /// A last group whose header did not reach the disk can still be told by its first record.
  Result<void> torn_header() {
    if (!last_kept_) return {};
    const Step& step = *last_kept_;
    Segment& segment = *step.file->segment;
    FileWindow window(*segment.file, segment.capacity);
    const std::uint64_t at = round_up(step.group.records_end(), kPage) + kGroupHeaderSize;
    auto octets = window.get(at, kRecordHeaderSize);
    if (!octets) return std::move(octets).error();
    const auto header =
        decode_record_header(*octets, header_seed(step.group.header.epoch, segment.number));
    if (!header) return {};
    out_.report.cut_octets += header->total_octets();
    find(segment.name, at, "torn group without header cut");
    return {};
  }

  /// A group was synced at the latest when a later one says so.
  void set_sync_times() {
    std::vector<std::pair<std::uint64_t, UtcMicros>> told;  // by durable group
    for (const Step& step : steps_) {
      told.emplace_back(step.group.header.durable_group, step.group.header.synced);
    }
    std::stable_sort(told.begin(), told.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::size_t next = 0;
    for (const Kept& kept : groups_) {
      while (next < told.size() && told[next].first < kept.number) ++next;
      kept.segment->groups[kept.index].synced = next < told.size() ? told[next].second : now_;
    }
  }

  void finish() {
    const std::uint64_t newest = last_kept_ ? last_kept_->file->segment->number : 0;
    for (LoadedSegment& each : loaded_) {
      const bool kept = std::find(out_.segments.begin(), out_.segments.end(), each.segment) !=
                        out_.segments.end();
      if (kept) continue;
      if (each.segment->number > newest) {
        set_free(each);
      } else {  // left as it is until all before it is done, for whoever can read more of it
        find(each.segment->name, 0, "no group is whole");
      }
    }
    if (last_kept_) {
      out_.tail_offset = round_up(last_kept_->group.records_end(), kPage);
    }
    out_.next_sequence = std::max(out_.next_sequence, journal::next(tail_));
    out_.report.tail = tail_;
  }

  void find(const std::string& file, std::uint64_t offset, const std::string& what) {
    out_.report.findings.push_back(finding(file, offset, what));
  }
  void tell(const Segment& segment, const std::vector<Finding>& findings) {
    for (const Finding& each : findings) find(segment.name, each.offset, each.what + " damaged");
  }

  struct Kept {
    std::shared_ptr<Segment> segment;
    std::size_t index;
    std::uint64_t number;
  };

  FileSystem& files_;
  UtcMicros now_;
  Recovered out_;
  std::optional<Checkpoint> known_;  // emptied by begin_behind()
  std::vector<LoadedSegment> loaded_;
  std::vector<Step> steps_;
  std::vector<Kept> groups_;
  std::optional<Step> last_kept_;
  std::uint64_t durable_ = 0;
  Sequence tail_{};
};

}  // namespace

Result<Recovered> recover(FileSystem& files, UtcMicros now) { return Recovery(files, now).run(); }

}  // namespace dr::journal
