// How one group of records reaches the disk: written through the page cache or past it (O_DIRECT),
// with a system call for each step or both in one io_uring submission. What router/notes says about
// the journal's writer rests on these figures.
//
//     log_write_bench --benchmark_enable_random_interleaving=true --benchmark_repetitions=5
//
// The file is zero-filled first and written in place again and again, as segments are. TMPDIR
// chooses the disk.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr std::uint64_t kFile = 512U << 20;
constexpr std::size_t kMostGroup = 8U << 20;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// A zero-filled file without a name.
class LogFile {
 public:
  explicit LogFile(int flags) {
    std::string name = (std::filesystem::temp_directory_path() / "log-write-XXXXXX").string();
    const int made = ::mkstemp(name.data());
    if (made < 0) fail("mkstemp");
    const std::unique_ptr<void, decltype(&std::free)> zeros(std::calloc(1, kMostGroup), &std::free);
    for (std::uint64_t at = 0; at < kFile; at += kMostGroup) {
      if (::pwrite(made, zeros.get(), kMostGroup, static_cast<off_t>(at)) !=
          static_cast<ssize_t>(kMostGroup)) {
        fail("zero fill");
      }
    }
    ::fsync(made);
    ::close(made);
    fd_ = ::open(name.c_str(), O_RDWR | O_CLOEXEC | flags);
    ::unlink(name.c_str());
    if (fd_ < 0) fail("open");
  }
  ~LogFile() { ::close(fd_); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  int fd() const { return fd_; }
  off_t next(std::size_t octets) {
    if (at_ + octets > kFile) at_ = 0;
    const auto at = static_cast<off_t>(at_);
    at_ += octets;
    return at;
  }

 private:
  int fd_ = -1;
  std::uint64_t at_ = 0;
};

/// The octets of a group, aligned as O_DIRECT wants them.
class Group {
 public:
  Group() : octets_(std::aligned_alloc(4096, kMostGroup), &std::free) {
    std::memset(octets_.get(), 0x5a, kMostGroup);
  }
  void* get() const { return octets_.get(); }

 private:
  std::unique_ptr<void, decltype(&std::free)> octets_;
};

void finish(benchmark::State& state) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}

void write_and_sync(benchmark::State& state, int flags, bool sync) {
  LogFile file(flags);
  const Group group;
  const auto octets = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    if (::pwrite(file.fd(), group.get(), octets, file.next(octets)) !=
        static_cast<ssize_t>(octets)) {
      fail("write");
    }
    if (sync && ::fdatasync(file.fd()) != 0) fail("sync");
  }
  finish(state);
}

/// Just enough of io_uring: a write and an fdatasync, linked, in one system call.
class Ring {
 public:
  Ring() {
    io_uring_params params{};
    fd_ = static_cast<int>(::syscall(SYS_io_uring_setup, 4, &params));
    if (fd_ < 0) fail("io_uring_setup");
    const std::size_t sq = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    const std::size_t cq = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
    sq_ = map(sq, IORING_OFF_SQ_RING);
    cq_ = map(cq, IORING_OFF_CQ_RING);
    entries_ = reinterpret_cast<io_uring_sqe*>(
        map(params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
    params_ = params;
  }
  ~Ring() { ::close(fd_); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  void write_then_sync(int file, const void* octets, std::size_t length, off_t at) {
    io_uring_sqe& write = take(0);
    write.opcode = IORING_OP_WRITE;
    write.flags = IOSQE_IO_LINK;
    write.fd = file;
    write.addr = reinterpret_cast<std::uint64_t>(octets);
    write.len = static_cast<unsigned>(length);
    write.off = static_cast<std::uint64_t>(at);
    io_uring_sqe& sync = take(1);
    sync.opcode = IORING_OP_FSYNC;
    sync.fd = file;
    sync.fsync_flags = IORING_FSYNC_DATASYNC;
    auto* const tail = reinterpret_cast<unsigned*>(sq_ + params_.sq_off.tail);
    __atomic_store_n(tail, *tail + 2, __ATOMIC_RELEASE);
    if (::syscall(SYS_io_uring_enter, fd_, 2, 2, IORING_ENTER_GETEVENTS, nullptr, 0) != 2) {
      fail("io_uring_enter");
    }
    auto* const head = reinterpret_cast<unsigned*>(cq_ + params_.cq_off.head);
    const unsigned mask = *reinterpret_cast<unsigned*>(cq_ + params_.cq_off.ring_mask);
    const auto* const done = reinterpret_cast<io_uring_cqe*>(cq_ + params_.cq_off.cqes);
    const int first = done[*head & mask].res;
    const int second = done[(*head + 1) & mask].res;
    __atomic_store_n(head, *head + 2, __ATOMIC_RELEASE);
    if (first != static_cast<int>(length) || second != 0) throw std::runtime_error("completion");
  }

 private:
  char* map(std::size_t octets, long long offset) {
    void* const at = ::mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                            static_cast<off_t>(offset));
    if (at == MAP_FAILED) fail("mmap");
    return static_cast<char*>(at);
  }
  io_uring_sqe& take(unsigned i) {
    const unsigned tail = *reinterpret_cast<unsigned*>(sq_ + params_.sq_off.tail) + i;
    const unsigned index = tail & *reinterpret_cast<unsigned*>(sq_ + params_.sq_off.ring_mask);
    reinterpret_cast<unsigned*>(sq_ + params_.sq_off.array)[index] = index;
    entries_[index] = {};
    return entries_[index];
  }

  int fd_ = -1;
  io_uring_params params_{};
  char* sq_ = nullptr;
  char* cq_ = nullptr;
  io_uring_sqe* entries_ = nullptr;
};

void ring_write_and_sync(benchmark::State& state, int flags) {
  LogFile file(flags);
  const Group group;
  Ring ring;
  const auto octets = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) ring.write_then_sync(file.fd(), group.get(), octets, file.next(octets));
  finish(state);
}

void sizes(benchmark::internal::Benchmark* each) {
  each->Arg(12 << 10)->Arg(128 << 10)->Arg(512 << 10)->Arg(8 << 20)->UseRealTime();
  each->MeasureProcessCPUTime();
}

BENCHMARK_CAPTURE(write_and_sync, page_cache, 0, true)->Apply(sizes);
BENCHMARK_CAPTURE(write_and_sync, direct, O_DIRECT, true)->Apply(sizes);
BENCHMARK_CAPTURE(write_and_sync, direct_dsync, O_DIRECT | O_DSYNC, false)->Apply(sizes);
BENCHMARK_CAPTURE(ring_write_and_sync, page_cache, 0)->Apply(sizes);
BENCHMARK_CAPTURE(ring_write_and_sync, direct, O_DIRECT)->Apply(sizes);

}  // namespace
