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
  std::uint32_t crc = 0;  // CRC32C of them
  std::unique_ptr<journal::BodyReader> body;
};

/// All that stands before its data set in a DICOM file (PS3.10 7.1).
Bytes part10_head_of(const journal::ObjectRecord& record);
/// Blocking: page cache or disk.
Result<StoredObject> open_object(journal::Journal& journal, journal::Sequence instance);
/// On a disk thread unless `cached` (Journal::in_memory(): a copy, cheaper than two changes of
/// thread): then all octets are read and checked first, so that not one of a damaged object leaves
/// the node. What is in memory was checked when it came in, and is again before its last fragment.
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
