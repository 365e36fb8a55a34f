// Ingest into the journal against its physical limit: a program that appends the same objects to
// one preallocated log with one write and one fdatasync for all that have arrived, and does nothing
// else (no checksums, no index, no recovery). Both in one run, interleaved; only the ratios mean
// anything.
//
//     journal_bench [FOLDER [SYNC_DELAY_US [SENDERS]]]
//
// With a delay in each sync it also tells what is kept of the throughput without it.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "router/journal/journal.h"

namespace {

using namespace dr;  // NOLINT: a program, not a header

constexpr std::uint64_t kLog = 512ULL << 20;
constexpr int kRepetitions = 5;

std::atomic<std::int64_t> sync_delay{0};  // microseconds

void delay_sync() { std::this_thread::sleep_for(std::chrono::microseconds(sync_delay)); }

struct Measured {
  double per_second = 0;
  double cpu_per_gb = 0;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Runs `append` (blocking, one object) on `threads` threads until `objects` are done.
Measured measure(int threads, int objects, std::size_t octets,
                 const std::function<void()>& append) {
  const double cpu = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      for (int i = t; i < objects; i += threads) append();
    });
  }
  for (auto& thread : running) thread.join();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  const double gb = static_cast<double>(octets) * objects * 1e-9;
  return {objects / wall.count(), (cpu_seconds() - cpu) / gb};
}

/// What stands for the receive from a socket: one copy into blocks of the pool.
BlockChain receive(BlockPool& pool, const Bytes& object) {
  BlockChain chain(pool);
  for (std::size_t at = 0; at < object.size();) {
    const MutableByteSpan space = chain.writable();
    if (space.empty()) std::abort();
    const std::size_t n = std::min(space.size(), object.size() - at);
    std::memcpy(space.data(), object.data() + at, n);
    chain.commit(n);
    at += n;
  }
  return chain;
}

/// The limit: a log that wraps around, a writer thread, group sync.
class BareLog {
 public:
  explicit BareLog(const std::string& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600)) {
    const Bytes zeros(1 << 20);
    for (std::uint64_t at = 0; at < kLog; at += zeros.size()) {
      if (::pwrite(fd_, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0) std::abort();
    }
    ::fdatasync(fd_);
    thread_ = std::thread([this] { run(); });
  }
  ~BareLog() {
    {
      const std::scoped_lock lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
    ::close(fd_);
  }

  void append(BlockChain chain) {
    std::binary_semaphore done(0);
    {
      const std::scoped_lock lock(mutex_);
      queue_.push_back({std::move(chain), &done});
    }
    wake_.notify_one();
    done.acquire();
  }

 private:
  struct Item {
    BlockChain chain;
    std::binary_semaphore* done;
  };

  void run() {
    for (;;) {
      std::vector<Item> items;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
        if (queue_.empty()) return;
        items.swap(queue_);
      }
      std::vector<iovec> parts;
      std::uint64_t octets = 0;
      for (const Item& item : items) {
        for (const ByteSpan span : item.chain.spans()) {
          parts.push_back({const_cast<std::byte*>(span.data()), span.size()});
          octets += span.size();
        }
      }
      if (at_ + octets > kLog) at_ = 0;
      for (std::size_t i = 0; i < parts.size(); i += 1024) {
        const auto n = static_cast<int>(std::min<std::size_t>(1024, parts.size() - i));
        const ssize_t written = ::pwritev(fd_, &parts[i], n, static_cast<off_t>(at_));
        if (written < 0) std::abort();
        at_ += static_cast<std::uint64_t>(written);
      }
      delay_sync();
      if (::fdatasync(fd_) != 0) std::abort();
      at_ = (at_ + 4095) / 4096 * 4096;
      for (Item& item : items) item.done->release();
    }
  }

  int fd_;
  std::uint64_t at_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::vector<Item> queue_;
  std::thread thread_;
};

/// Adds the delay to each sync, as a real disk would.
class SlowFile final : public File {
 public:
  explicit SlowFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  Result<void> write_at(std::uint64_t offset, std::span<const ByteSpan> parts) override {
    return file_->write_at(offset, parts);
  }
  Result<std::size_t> read_at(std::uint64_t offset, MutableByteSpan into) const override {
    return file_->read_at(offset, into);
  }
  Result<void> sync() override {
    delay_sync();
    return file_->sync();
  }
  Result<std::uint64_t> size() const override { return file_->size(); }
  Result<void> allocate(std::uint64_t octets) override { return file_->allocate(octets); }
  bool write_past_cache() override { return file_->write_past_cache(); }
  void start_writeback(std::uint64_t offset, std::uint64_t octets) override {
    file_->start_writeback(offset, octets);
  }
  Result<void> close() override { return file_->close(); }

 private:
  std::unique_ptr<File> file_;
};

class SlowFileSystem final : public FileSystem {
 public:
  explicit SlowFileSystem(std::unique_ptr<FileSystem> files) : files_(std::move(files)) {}
  Result<std::unique_ptr<File>> open(const std::string& name, Mode mode) override {
    auto file = files_->open(name, mode);
    if (!file || sync_delay == 0) return file;
    return std::unique_ptr<File>(std::make_unique<SlowFile>(std::move(*file)));
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return files_->rename(from, to);
  }
  Result<void> rename_new(const std::string& from, const std::string& to) override {
    return files_->rename_new(from, to);
  }
  Result<void> unlink(const std::string& name) override { return files_->unlink(name); }
  Result<void> make_dir(const std::string& name) override { return files_->make_dir(name); }
  Result<void> sync_dir(const std::string& name) override { return files_->sync_dir(name); }
  Result<std::vector<std::string>> list(const std::string& dir) const override {
    return files_->list(dir);
  }
  Result<std::uint64_t> free_octets() const override { return files_->free_octets(); }
  Result<std::unique_ptr<File>> lock(const std::string& name) override {
    return files_->lock(name);
  }

 private:
  std::unique_ptr<FileSystem> files_;
};

journal::ObjectRecord record() {
  journal::ObjectRecord record;
  record.node = "router-1";
  record.listener = "modalities";
  record.sop_instance_uid = uid_literal("1.2.826.0.1.3680043.2.1125.1.1234567890");
  record.decisions = {{"everything else", "90-rest.toml", 12, 3, {"archive"}, ""}};
  record.routes = {{"archive", 1, {}, {}, {}}};
  return record;
}

struct Case {
  const char* name;
  std::size_t octets;
  int threads;
  int objects;
};

Measured median(std::vector<Measured> all) {
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.per_second < b.per_second; });
  Measured middle = all[all.size() / 2];
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.cpu_per_gb < b.cpu_per_gb; });
  middle.cpu_per_gb = all[all.size() / 2].cpu_per_gb;
  return middle;
}

void run(const std::string& folder, const Case& c) {
  BlockPool pool(256 << 20);
  Bytes object(c.octets);
  for (std::size_t i = 0; i < object.size(); ++i)
    object[i] = static_cast<std::byte>(i * 2654435761);
  std::vector<Measured> bare;
  std::vector<Measured> delivered;
  std::vector<Measured> at_once;  // the same, without the delay
  std::vector<Measured> backlog;
  {
    BareLog log(folder + "/bare.log");
    std::filesystem::remove_all(folder + "/recycled");
    auto disk = open_posix_file_system(folder + "/recycled");
    SlowFileSystem files(std::move(*disk));
    const SystemClock clock;
    auto opened = journal::Journal::open(files, clock, {});
    if (!opened) std::abort();
    journal::Journal& journal = **opened;
    const auto append = [&](journal::Journal& into, bool deliver) {
      std::binary_semaphore done(0);
      into.append_object(record(), receive(pool, object), [&](Result<journal::Sequence> r) {
        if (!r) std::abort();
        if (deliver) {
          journal::OutcomeRecord outcome;
          outcome.instance = *r;
          outcome.destination = "archive";
          outcome.state = journal::DeliveryState::kDelivered;
          if (!into.append(outcome)) std::abort();
        }
        done.release();
      });
      done.acquire();
    };
    // Until the recycled segments go round, as in a node that has run for a while.
    const auto round = static_cast<int>((kLog << 1) / c.octets / 4);
    measure(std::max(c.threads, 16), sync_delay > 0 ? round / 8 : round, c.octets,
            [&] { append(journal, true); });
    for (int i = 0; i < kRepetitions; ++i) {
      bare.push_back(
          measure(c.threads, c.objects, c.octets, [&] { log.append(receive(pool, object)); }));
      delivered.push_back(measure(c.threads, c.objects, c.octets, [&] { append(journal, true); }));
      if (const std::int64_t delay = sync_delay.exchange(0); delay > 0) {
        at_once.push_back(
            measure(c.threads, c.objects * 4, c.octets, [&] { append(journal, true); }));
        sync_delay = delay;
      }
      std::filesystem::remove_all(folder + "/backlog");
      auto fresh = open_posix_file_system(folder + "/backlog");
      SlowFileSystem fresh_files(std::move(*fresh));
      auto second = journal::Journal::open(fresh_files, clock, {});
      if (!second) std::abort();
      backlog.push_back(measure(c.threads, c.objects, c.octets, [&] { append(**second, false); }));
    }
  }
  const Measured limit = median(bare);
  const auto line = [&](const char* what, const Measured& m) {
    std::printf("%-7s %3d  %-28s %9.0f /s  %5.2f CPU s/GB   x%.2f throughput  x%.2f CPU\n", c.name,
                c.threads, what, m.per_second, m.cpu_per_gb, m.per_second / limit.per_second,
                m.cpu_per_gb / limit.cpu_per_gb);
  };
  line("limit: log, group sync", limit);
  line("journal, segments recycled", median(delivered));
  line("journal, backlog grows", median(backlog));
  if (!at_once.empty()) {
    const double without = median(at_once).per_second;
    std::printf("%-7s %3d  journal, without the delay   %9.0f /s  of which x%.2f is kept\n", c.name,
                c.threads, without, median(delivered).per_second / without);
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path folder =
      argc > 1 ? std::filesystem::path(argv[1])
               : std::filesystem::temp_directory_path() / "dr-journal-bench";
  if (argc > 2) sync_delay = std::atoi(argv[2]);
  const int senders = argc > 3 ? std::atoi(argv[3]) : 0;  // 0: all
  std::filesystem::create_directories(folder);
  const int slower = sync_delay > 0 ? 8 : 1;  // enough are measured in less
  for (Case c : {Case{"525 KB", 525'000, 1, 1'000}, Case{"525 KB", 525'000, 4, 1'500},
                 Case{"525 KB", 525'000, 16, 1'500}, Case{"8 KB", 8'192, 1, 5'000},
                 Case{"8 KB", 8'192, 16, 30'000}}) {
    c.objects /= slower;
    if (senders == 0 || c.threads == senders) run(folder, c);
  }
  std::filesystem::remove_all(folder);
}
