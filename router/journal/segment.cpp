#include "router/journal/segment.h"

#include <algorithm>

namespace dr::journal {

void Segment::add(Sequence sequence, std::uint64_t offset) {
  const auto index = static_cast<std::size_t>(value(sequence) - value(first_sequence));
  if (offsets.size() <= index) offsets.resize(index + 1);
  offsets[index] = static_cast<std::uint32_t>(offset / kRecordAlignment);
}

Epoch Segment::epoch_at(std::uint64_t offset) const {
  Epoch epoch{};
  for (const EpochSpan& span : epochs) {
    if (span.from <= offset) epoch = span.epoch;
  }
  return epoch;
}

UtcMicros Segment::synced_at(Sequence sequence) const {
  const std::uint64_t index = value(sequence) - value(first_sequence);
  const auto behind =
      std::upper_bound(groups.begin(), groups.end(), index,
                       [](std::uint64_t i, const Group& group) { return i < group.first_record; });
  return behind == groups.begin() ? UtcMicros{} : std::prev(behind)->synced;
}

std::shared_ptr<Segment> SegmentList::by_number(std::uint64_t number) const {
  const auto at = std::partition_point(segments_.begin(), segments_.end(),
                                       [&](const auto& each) { return each->number < number; });
  return at != segments_.end() && (*at)->number == number ? *at : nullptr;
}

std::optional<Place> SegmentList::find(Sequence sequence) const {
  auto found = first_after(Sequence{value(sequence) - 1});
  if (!found || found->first != sequence) return std::nullopt;
  return std::move(found->second);
}

std::optional<std::pair<Sequence, Place>> SegmentList::first_after(Sequence after) const {
  auto at = std::partition_point(segments_.begin(), segments_.end(), [&](const auto& segment) {
    return value(segment->end_sequence()) <= value(after) + 1;
  });
  for (; at != segments_.end(); ++at) {
    const Segment& segment = **at;
    const std::uint64_t first = value(segment.first_sequence);
    for (std::uint64_t i = value(after) + 1 > first ? value(after) + 1 - first : 0;
         i < segment.offsets.size(); ++i) {
      if (segment.offsets[i] == 0) continue;
      return std::pair{Sequence{first + i}, Place{*at, segment.offsets[i] * kRecordAlignment}};
    }
  }
  return std::nullopt;
}

}  // namespace dr::journal
