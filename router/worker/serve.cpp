#include "router/worker/serve.h"

#include <algorithm>
#include <new>
#include <optional>

#include "router/worker/sandbox.h"
#include "router/worker/wire.h"

namespace dr::worker {
namespace {

/// What a job asks for, taken from its frame.
struct Asked {
  std::string_view kind;
  std::size_t inputs = 0;
  ByteSpan octets;
};

std::optional<Asked> decode(const Frame& frame) {
  ByteReader reader(frame.payload);
  Asked asked;
  asked.kind = reader.text(reader.u8());
  asked.inputs = reader.u8();
  if (frame.word != Word::kJob || reader.failed()) return std::nullopt;
  if (asked.inputs > frame.descriptors.size()) return std::nullopt;
  asked.octets = reader.rest();
  return asked;
}

Result<Bytes> run(const std::vector<Handler>& handlers, const Asked& asked, const Frame& frame) {
  const auto handler = std::ranges::find(handlers, asked.kind, &Handler::kind);
  if (handler == handlers.end()) return Error{Errc::kUnsupported, "unknown kind of job"};
  std::vector<int> descriptors;
  for (const Descriptor& each : frame.descriptors) descriptors.push_back(each.get());
  const std::span<const int> all(descriptors);
  return handler->run({asked.octets, all.first(asked.inputs), all.subspan(asked.inputs)});
}

Bytes encode(const Error& error) {
  Bytes octets;
  ByteWriter writer(octets);
  writer.u8(static_cast<std::uint8_t>(error.code));
  writer.text(std::string_view(error.detail).substr(0, kMaxDetail));
  return octets;
}

/// Does one job; whether the process may do another.
bool answer(const std::vector<Handler>& handlers, const Asked& asked, const Frame& frame) {
  bool sound = true;
  Result<Bytes> result;
  try {
    result = run(handlers, asked, frame);
  } catch (const std::bad_alloc&) {
    result = Error{Errc::kNoSpace, "memory"};
    sound = false;
  }
  const Bytes payload = result ? std::move(*result) : encode(result.error());
  const Word word = result ? Word::kResult : sound ? Word::kFailed : Word::kLast;
  return send_frame(kSocket, word, payload, {}, {}).ok() && sound;
}

}  // namespace

int serve(const std::vector<Handler>& handlers) {
  for (const Handler& handler : handlers) {
    if (handler.prepare) handler.prepare();
  }
  if (!close_sandbox()) return 1;
  if (!send_frame(kSocket, Word::kReady, {}, {}, {})) return 1;
  for (;;) {
    const auto frame = receive_frame(kSocket, kMaxRequest + kMaxKind + 2, kMaxDescriptors, {});
    if (!frame) return frame.error().code == Errc::kClosed ? 0 : 1;
    const auto asked = decode(*frame);
    if (!asked || !answer(handlers, *asked, *frame)) return 1;
  }
}

}  // namespace dr::worker
