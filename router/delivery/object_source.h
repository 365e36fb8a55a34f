#pragma once

#include <memory>
#include <optional>

#include "dimse/service/storage_scu.h"
#include "router/delivery/core.h"
#include "router/delivery/queue.h"

namespace dr::delivery {

/// 256 KiB of the node's memory for as long as one object is sent; a small piece of the heap when
/// the budget is used up, since delivering is what empties the journal and must not wait for those
/// who fill it.
class SendBuffer {
 public:
  explicit SendBuffer(BlockPool& pool);
  ~SendBuffer();
  SendBuffer(const SendBuffer&) = delete;
  SendBuffer& operator=(const SendBuffer&) = delete;
  MutableByteSpan span() const noexcept { return span_; }

 private:
  BlockPool& pool_;
  std::byte* block_;
  Bytes small_;
  MutableByteSpan span_;
};

/// An object of the journal: what was recorded when it was received, and its octets.
struct StoredObject {
  journal::ObjectRecord record;
  std::uint64_t octets = 0;
  std::unique_ptr<journal::BodyReader> body;
};

/// Blocking: page cache or disk.
Result<StoredObject> open_object(journal::Journal& journal, journal::Sequence instance);
/// Whether an object's octets are, by all likelihood, still in the page cache: then reading them is
/// a copy, and cheaper on the I/O thread than two changes of thread.
bool likely_cached(const Delivery& delivery, UtcMicros now);
/// On a disk thread unless `cached`: then all octets are read and checked first, so that not one
/// of a damaged object leaves the node. (What is cached was checked a moment ago on its way in, and
/// is again while it is sent, before its last fragment.)
asio::awaitable<Result<StoredObject>> open_object(std::shared_ptr<Core> core,
                                                  journal::Sequence instance, bool cached);

/// The copy that a rule's transform makes of it (Transformer); disk threads read, workers change.
asio::awaitable<Result<StoredObject>> open_copy(std::shared_ptr<Core> core, StoredObject object,
                                                std::string transform);

/// The octets of one object for a C-STORE, a buffer at a time.
class ObjectSource final : public service::DataSetSource {
 public:
  ObjectSource(Core& core, journal::BodyReader& body, bool cached);

  asio::awaitable<Result<ByteSpan>> next() override;
  /// Why next() failed.
  const std::optional<Error>& failure() const noexcept { return failure_; }

 private:
  Core& core_;
  journal::BodyReader& body_;
  const bool cached_;
  SendBuffer buffer_;
  std::optional<Error> failure_;
};

}  // namespace dr::delivery
