#include "router/delivery/object_source.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include "dimse/file/part10_writer.h"
#include "dimse/service/sop_classes.h"
#include "router/delivery/transformer.h"

namespace dr::delivery {
namespace {

constexpr std::size_t kSmallBuffer = 16 * 1024;
constexpr std::uint64_t kMostOnIoThread = 4U << 20;  // larger objects stand in files of their own

Result<void> read_to_end(journal::BodyReader& body) {
  Bytes buffer(static_cast<std::size_t>(std::min<std::uint64_t>(body.size(), 256U << 10)));
  for (;;) {
    const auto n = body.read(buffer);
    if (!n) return n.error();
    if (*n == 0) return {};
  }
}

// Runs `work` on a disk thread and comes back with what it answers.
template <class T>
asio::awaitable<T> run_on(asio::thread_pool& pool, std::function<T()> work) {
  auto start = [&pool, &work](auto handler) {
    asio::post(pool, [&work, handler = std::move(handler)]() mutable {
      const auto executor = asio::get_associated_executor(handler);
      auto finish = [handler = std::move(handler), done = work()]() mutable {
        handler(std::move(done));
      };
      asio::post(executor, std::move(finish));
    });
  };
  co_return co_await asio::async_initiate<decltype(asio::use_awaitable), void(T)>(
      start, asio::use_awaitable);
}

}  // namespace

SendBuffer::SendBuffer(BlockPool& pool) : pool_(pool), block_(pool.try_take()) {
  if (block_ != nullptr) {
    span_ = {block_, BlockPool::kBlockSize};
  } else {
    small_.resize(kSmallBuffer);
    span_ = small_;
  }
}

SendBuffer::~SendBuffer() {
  if (block_ != nullptr) pool_.give_back(block_);
}

Bytes part10_head_of(const journal::ObjectRecord& record) {
  file::Part10Meta meta;
  meta.sop_class_uid = record.sop_class_uid;
  meta.sop_instance_uid = record.sop_instance_uid;
  meta.transfer_syntax_uid = record.transfer_syntax_uid;
  meta.implementation_class_uid = service::implementation_class_uid();
  meta.implementation_version_name = std::string(service::kImplementationVersionName);
  meta.source_ae_title = record.calling_ae_title;
  return file::part10_head(meta);
}

Result<StoredObject> open_object(journal::Journal& journal, journal::Sequence instance) {
  auto record = journal.read(instance);
  if (!record) return std::move(record).error();
  auto decoded = journal::decode_object(record->head);
  if (!decoded) return std::move(decoded).error();
  auto body = journal.open_body(instance);
  if (!body) return std::move(body).error();
  return StoredObject{std::move(*decoded), record->body_octets, record->body_crc, std::move(*body)};
}

asio::awaitable<Result<StoredObject>> open_object(std::shared_ptr<Core> core,
                                                  journal::Sequence instance, bool cached) {
  journal::Journal& journal = core->context.journal;
  if (cached) co_return open_object(journal, instance);
  std::function<Result<StoredObject>()> work = [&journal, instance]() -> Result<StoredObject> {
    auto object = open_object(journal, instance);
    if (!object) return object;
    if (auto whole = read_to_end(*object->body); !whole) return std::move(whole).error();
    return open_object(journal, instance);
  };
  co_return co_await run_on(core->disk, std::move(work));
}

// What is started lives behind pointers: the coroutine's frame waits, but the posted work is
// copied.
asio::awaitable<Result<StoredObject>> open_copy(std::shared_ptr<Core> core, StoredObject object,
                                                std::string transform) {
  Transformer* const transformer = core->context.transformer;
  if (transformer == nullptr) co_return Error{Errc::kUnsupported, "no_transformer"};
  auto start = [&core, &object, &transform, transformer](auto handler) {
    auto kept = std::make_shared<decltype(handler)>(std::move(handler));
    auto done = [kept](Result<StoredObject> copy) {
      const auto executor = asio::get_associated_executor(*kept);
      auto brought = std::make_shared<Result<StoredObject>>(std::move(copy));
      asio::post(executor, [kept, brought] { (*kept)(std::move(*brought)); });
    };
    asio::post(core->disk, [&object, &transform, transformer, done = std::move(done)] {
      transformer->transform(std::move(object), transform, done);
    });
  };
  co_return co_await asio::async_initiate<decltype(asio::use_awaitable),
                                          void(Result<StoredObject>)>(start, asio::use_awaitable);
}

ObjectSource::ObjectSource(Core& core, journal::BodyReader& body, bool cached)
    : core_(core),
      body_(body),
      cached_(cached && body.size() <= kMostOnIoThread),
      buffer_(core.context.blocks) {}

asio::awaitable<Result<ByteSpan>> ObjectSource::next() {
  Result<std::size_t> n;
  if (cached_) {
    n = body_.read(buffer_.span());
  } else {
    std::function<Result<std::size_t>()> work = [this] { return body_.read(buffer_.span()); };
    n = co_await run_on(core_.disk, std::move(work));
  }
  if (!n) {
    failure_ = n.error();
    co_return n.error();
  }
  co_return ByteSpan(buffer_.span().first(*n));
}

}  // namespace dr::delivery
