#include "router/journal/export.h"

#include <map>

#include "router/journal/body_reader.h"
#include "router/journal/moved_head.h"
#include "router/journal/recovery.h"
#include "router/journal/spool.h"

namespace dr::journal {
namespace {

/// The object in a record, or nullopt in one that is something else.
Result<std::optional<ObjectRecord>> object_in(const StoredRecord& stored) {
  if (stored.header.type == RecordType::kObject) {
    auto object = decode_object(stored.head);
    if (!object) return std::move(object).error();
    return std::optional(std::move(*object));
  }
  if (stored.header.type != RecordType::kMoved) return std::optional<ObjectRecord>{};
  const auto moved = decode_moved(stored.head);
  if (!moved) return moved.error();
  auto object = decode_object(moved->object);
  if (!object) return std::move(object).error();
  return std::optional(std::move(*object));
}

Result<void> rescue_one(FileSystem& files, const Recovered& spool, Sequence instance,
                        const Place& place, Rescue& rescue) {
  const auto stored =
      read_stored(*place.segment, place.offset, place.segment->epoch_at(place.offset), instance);
  if (!stored && stored.error().code != Errc::kCorrupt) return stored.error();
  if (!stored) return rescue.lost(instance, stored.error());
  auto object = object_in(*stored);
  if (!object) return rescue.lost(instance, object.error());
  if (!*object) return {};
  const auto body = body_of(files, SegmentPin(place.segment), *stored);
  const bool finished = !spool.ledger.contains(instance);
  if (!body && finished && body.error().code == Errc::kNotFound) return {};
  const Rescued rescued{instance, std::move(**object), spool.ledger.states(instance)};
  return rescue.object(rescued, body ? body->get() : nullptr, body ? nullptr : &body.error());
}

/// Of all records; of an object that was moved, where it stands now.
std::map<Sequence, Place> places(const Recovered& spool) {
  std::map<Sequence, Place> all;
  for (const std::shared_ptr<Segment>& segment : spool.segments) {
    for (std::size_t i = 0; i < segment->offsets.size(); ++i) {
      if (segment->offsets[i] == 0) continue;
      const Sequence sequence{value(segment->first_sequence) + i};
      all[sequence] = Place{segment, segment->offsets[i] * kRecordAlignment};
    }
  }
  spool.ledger.objects().each_from(Sequence::kNone, [&](const Ledger::Object& object) {
    all[object.instance] = *spool.ledger.place(object.instance);
    return true;
  });
  return all;
}

}  // namespace

Result<RecoveryReport> export_objects(FileSystem& files, UtcMicros now, Rescue& rescue) {
  // Asked first: open_spool() makes a spool where there is none.
  if (auto there = files.open("spool", FileSystem::Mode::kRead); !there) return there.error();
  const auto spool = open_spool(files);
  if (!spool) return spool.error();
  auto recovered = recover(files, now);
  if (!recovered) return std::move(recovered).error();
  for (const auto& [instance, place] : places(*recovered)) {
    auto done = rescue_one(files, *recovered, instance, place, rescue);
    if (!done) return std::move(done).error();
  }
  return std::move(recovered->report);
}

}  // namespace dr::journal
