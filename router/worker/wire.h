#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "router/worker/descriptor.h"

namespace dr::worker {

inline constexpr std::size_t kMaxRequest = 1U << 20;
inline constexpr std::size_t kMaxDescriptors = 16;  // that go with one frame
inline constexpr std::size_t kMaxKind = 32;         // octets of a kind's name
inline constexpr std::size_t kMaxDetail = 256;      // octets of an error's detail

/// What a frame between node and worker is. The payload of kJob: u8 length of the kind, its name,
/// u8 number of inputs, the request. Of kFailed and kLast: u8 Errc, the detail.
enum class Word : std::uint32_t {
  kReady = 1,   // worker: the sandbox is closed, jobs may come
  kJob = 2,     // node
  kResult = 3,  // worker: the result's octets
  kFailed = 4,  // worker: a named error
  kLast = 5,    // worker: a named error, after which it ends
};

struct Frame {
  Word word{};
  Bytes payload;
  std::vector<Descriptor> descriptors;
};

/// How long to wait for the other side, and what ends the wait before that.
struct Patience {
  std::optional<std::chrono::steady_clock::time_point> until;  // kTimeout
  int interrupt = -1;  // kCancelled once this descriptor is readable
};

/// One frame over a stream socket: u32 word, u32 length of the payload (both of this machine), the
/// payload; descriptors travel with the first octet. kClosed: the other side is gone.
Result<void> send_frame(int socket, Word word, ByteSpan payload, std::span<const int> descriptors,
                        const Patience& patience);
/// A payload above `limit` is kTooLong before anything is allocated; descriptors above
/// `max_descriptors` are refused as kMalformed.
Result<Frame> receive_frame(int socket, std::size_t limit, std::size_t max_descriptors,
                            const Patience& patience);

}  // namespace dr::worker
