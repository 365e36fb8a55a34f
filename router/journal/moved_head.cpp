#include "router/journal/moved_head.h"

namespace dr::journal {

Bytes encode_moved(ByteSpan object, const std::vector<OutcomeRecord>& states) {
  Bytes head;
  ByteWriter out(head);
  out.le(static_cast<std::uint32_t>(object.size()));
  out.put(object);
  for (const OutcomeRecord& state : states) {
    const Bytes octets = encode(state);
    out.le(static_cast<std::uint32_t>(octets.size()));
    out.put(octets);
  }
  return head;
}

Result<MovedHead> decode_moved(ByteSpan head) {
  ByteReader in(head);
  MovedHead moved;
  moved.object = in.take(in.le<std::uint32_t>());
  while (!in.failed() && in.remaining() > 0) {
    auto state = decode_outcome(in.take(in.le<std::uint32_t>()));
    if (!state) return std::move(state).error();
    moved.states.push_back(std::move(*state));
  }
  if (in.failed()) return Error{Errc::kCorrupt, "moved head"};
  return moved;
}

}  // namespace dr::journal
