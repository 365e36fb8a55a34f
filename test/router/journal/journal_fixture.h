#pragma once

#include <chrono>
#include <future>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "router/journal/journal.h"
#include "router/journal/log_format.h"
#include "test/support/fault_file_system.h"

namespace dr::journal {

using test::FaultFileSystem;
using test::Operation;
using test::Survives;

/// Small segments; no work in the background unless a test asks for it.
inline Options small_options() {
  Options options;
  options.segment_octets = 64 << 10;
  options.ahead_octets = 0;
  options.ahead_most = 0;
  options.page_aligned = 5'000;
  options.recent_octets = 0;  // what is read comes from the disk
  options.idle_sync = std::chrono::hours(1);
  return options;
}

inline std::string pattern(std::size_t octets, unsigned seed) {
  std::string text(octets, '\0');
  std::minstd_rand random(seed + 1);
  for (char& c : text) c = static_cast<char>(random() >> 8);
  return text;
}

inline ObjectRecord object_record(const std::vector<std::string>& destinations) {
  ObjectRecord record;
  record.node = "router-1";
  record.sop_instance_uid = uid_literal("1.2.3");
  for (const auto& destination : destinations)
    record.routes.push_back({destination, 1, {}, {}, {}});
  return record;
}

inline OutcomeRecord outcome(Sequence instance, std::string destination, DeliveryState state) {
  OutcomeRecord record;
  record.instance = instance;
  record.destination = std::move(destination);
  record.state = state;
  record.attempt = 1;
  return record;
}

class JournalTest : public testing::Test {
 protected:
  static Result<std::unique_ptr<Journal>> try_open(FileSystem& files,
                                                   Options options = small_options(),
                                                   Listener* listener = nullptr) {
    static const SystemClock clock;
    return Journal::open(files, clock, options, listener);
  }
  static std::unique_ptr<Journal> open(FileSystem& files, Options options = small_options(),
                                       Listener* listener = nullptr) {
    auto journal = try_open(files, options, listener);
    EXPECT_TRUE(journal.ok()) << (journal ? "" : journal.error().to_string());
    return journal ? std::move(*journal) : nullptr;
  }

  BlockChain chain(std::string_view text) {
    BlockChain chain(pool_);
    while (!text.empty()) {
      const MutableByteSpan space = chain.writable();
      const std::size_t n = std::min(space.size(), text.size());
      std::copy_n(as_bytes(text).begin(), n, space.begin());
      chain.commit(n);
      text.remove_prefix(n);
    }
    return chain;
  }

  std::future<Result<Sequence>> start_append(Journal& journal, std::string_view text,
                                             std::vector<std::string> destinations = {"a"}) {
    auto promise = std::make_shared<std::promise<Result<Sequence>>>();
    auto future = promise->get_future();
    journal.append_object(object_record(destinations), chain(text),
                          [promise](Result<Sequence> r) { promise->set_value(std::move(r)); });
    return future;
  }
  Result<Sequence> append(Journal& journal, std::string_view text,
                          std::vector<std::string> destinations = {"a"}) {
    return start_append(journal, text, std::move(destinations)).get();
  }
  Result<Sequence> append_large(Journal& journal, std::unique_ptr<LargeObject> large,
                                std::vector<std::string> destinations = {"a"}) {
    std::promise<Result<Sequence>> promise;
    journal.append_large(object_record(destinations), std::move(large),
                         [&promise](Result<Sequence> r) { promise.set_value(std::move(r)); });
    return promise.get_future().get();
  }

  static Result<std::string> body(Journal& journal, Sequence instance) {
    auto reader = journal.open_body(instance);
    if (!reader) return reader.error();
    std::string text;
    Bytes buffer(10'000);
    for (;;) {
      auto n = (*reader)->read(buffer);
      if (!n) return n.error();
      if (*n == 0) return text;
      text += as_text(ByteSpan(buffer).first(*n));
    }
  }

  /// Everything that is readable, in order.
  static std::vector<Record> all(Journal& journal) {
    std::vector<Record> records;
    Sequence at = Sequence::kNone;
    for (;;) {
      auto record = journal.read_after(at);
      EXPECT_TRUE(record.ok());
      if (!record || !*record) return records;
      at = (**record).sequence;
      records.push_back(std::move(**record));
    }
  }

  /// The disk after a crash; lives as long as the test.
  FaultFileSystem& crashed(const FaultFileSystem& files, Survives what) {
    return *disks_.emplace_back(files.crash(what));
  }

  BlockPool pool_{64 << 20};
  std::vector<std::unique_ptr<FaultFileSystem>> disks_;
};

}  // namespace dr::journal
