#include "router/worker/pool.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <set>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "test/support/paths.h"
#include "test/support/temp_dir.h"

namespace dr::worker {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

Settings settings(std::size_t workers = 1) {
  Settings s;
  s.workers = workers;
  s.command = {(test::binary_dir() / "test/misbehaving_worker").string()};
  return s;
}

Bytes bytes(std::string_view text) {
  const auto octets = as_bytes(text);
  return {octets.begin(), octets.end()};
}

std::future<Result<Bytes>> submit(Pool& pool, Order order) {
  auto promise = std::make_shared<std::promise<Result<Bytes>>>();
  auto future = promise->get_future();
  const auto accepted = pool.submit(
      {std::move(order), [promise](Result<Bytes> r) { promise->set_value(std::move(r)); }});
  if (!accepted) promise->set_value(accepted.error());
  return future;
}

std::future<Result<Bytes>> submit(Pool& pool, const std::string& kind,
                                  std::string_view request = {}) {
  return submit(pool, Order{kind, bytes(request), {}, {}});
}

/// The result as text, or "code: detail" of its error.
std::string run(Pool& pool, const std::string& kind, std::string_view request = {}) {
  const auto result = submit(pool, kind, request).get();
  return result ? std::string(as_text(*result)) : result.error().to_string();
}

Descriptor memory_file(std::string_view content) {
  Descriptor file(memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(write(file.get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  return file;
}

/// A job that never ends, and that a worker has begun.
std::future<Result<Bytes>> begin_to_hang(Pool& pool) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Descriptor reading(ends[0]);
  Order order{"hang", {}, {}, {}};
  order.outputs.emplace_back(ends[1]);
  auto result = submit(pool, std::move(order));
  char begun = 0;
  EXPECT_EQ(read(reading.get(), &begun, 1), 1);
  return result;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

/// ECHILD: no child, running or zombie, is left.
bool has_children() { return waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

pid_t only_process(const Pool& pool) {
  const auto processes = pool.stats().processes;
  return processes.size() == 1 ? processes.front() : -1;
}

TEST(WorkerPool, DoesAThousandJobsAndLeavesNothingBehind) {
  const std::size_t before = open_descriptors();
  {
    Pool pool(settings(2));
    std::vector<std::future<Result<Bytes>>> results;
    for (int i = 0; i < 1000; ++i) results.push_back(submit(pool, "echo", std::to_string(i)));
    for (int i = 0; i < 1000; ++i) {
      const auto result = results[static_cast<std::size_t>(i)].get();
      ASSERT_TRUE(result) << result.error().to_string();
      EXPECT_EQ(as_text(*result), std::to_string(i));
    }
    const Stats stats = pool.stats();
    EXPECT_EQ(stats.done, 1000U);
    EXPECT_EQ(stats.failed, 0U);
    EXPECT_EQ(stats.started, 2U);
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_FALSE(has_children());
}

TEST(WorkerPool, CrashesAmongAThousandJobsCostOnlyThemselves) {
  const std::size_t before = open_descriptors();
  {
    Pool pool(settings(2));
    std::vector<std::future<Result<Bytes>>> results;
    for (int i = 0; i < 1000; ++i) {
      Order order{i % 50 == 7 ? "crash" : "copy", {}, {}, {}};
      order.inputs.push_back(memory_file("content " + std::to_string(i)));
      order.outputs.push_back(memory_file(""));
      results.push_back(submit(pool, std::move(order)));
    }
    for (int i = 0; i < 1000; ++i) {
      const auto result = results[static_cast<std::size_t>(i)].get();
      ASSERT_EQ(result.ok(), i % 50 != 7) << i;
      if (result) continue;
      EXPECT_EQ(result.error().to_string(), "aborted: crashed signal=11");
    }
    EXPECT_EQ(pool.stats().failed, 20U);
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_FALSE(has_children());
}

TEST(WorkerPool, HandsDescriptorsOver) {
  Pool pool(settings());
  Order order{"copy", {}, {}, {}};
  order.inputs.push_back(memory_file("first"));
  order.inputs.push_back(memory_file("second, longer"));
  const Descriptor outputs[] = {memory_file(""), memory_file("")};
  for (const Descriptor& each : outputs) order.outputs.emplace_back(dup(each.get()));
  const auto result = submit(pool, std::move(order)).get();
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(as_text(*result), "19");
  char text[32]{};
  EXPECT_EQ(pread(outputs[1].get(), text, sizeof text, 0), 14);
  EXPECT_STREQ(text, "second, longer");
}

TEST(WorkerPool, ClosesAJobsDescriptorsBeforeItIsDone) {
  Pool pool(settings());
  ASSERT_EQ(run(pool, "echo", "up"), "up");
  const std::size_t before = open_descriptors();
  Order order{"copy", {}, {}, {}};
  order.inputs.push_back(memory_file("text"));
  order.outputs.push_back(memory_file(""));
  ASSERT_TRUE(submit(pool, std::move(order)).get());
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(run(pool, "descriptors"), "0 1 2 3 ");
}

TEST(WorkerPool, HandlersErrorsKeepTheirNameAndTheProcess) {
  Pool pool(settings());
  EXPECT_EQ(run(pool, "fail", "tag=(0010,0010)"), "corrupt: tag=(0010,0010)");
  EXPECT_EQ(run(pool, "nonsense"), "unsupported: unknown kind of job");
  EXPECT_EQ(run(pool, "echo", "still here"), "still here");
  EXPECT_EQ(pool.stats().started, 1U);
}

struct Fault {
  const char* kind;
  const char* error;
};

class WorkerFaults : public testing::TestWithParam<Fault> {};

TEST_P(WorkerFaults, EndTheProcessWithTheirReasonAndTheNextJobRuns) {
  const Fault& fault = GetParam();
  if (kSanitized && std::string_view(fault.kind) == "eat") {
    GTEST_SKIP() << "left out: sanitizers' own address space is above any limit";
  }
  Settings s = settings();
  s.limits.memory = 256U << 20;
  s.limits.cpu = std::chrono::seconds(1);
  s.limits.wall = std::string_view(fault.kind) == "hang" ? std::chrono::milliseconds(300)
                                                         : std::chrono::seconds(60);
  Pool pool(std::move(s));
  ASSERT_EQ(run(pool, "echo", "before"), "before");
  const pid_t first = only_process(pool);
  const std::string error = run(pool, fault.kind, "/tmp/never");
  EXPECT_EQ(error, fault.error);
  EXPECT_EQ(run(pool, "echo", "after"), "after");
  EXPECT_NE(only_process(pool), first);
  EXPECT_EQ(kill(first, 0), -1);  // not even a zombie
  EXPECT_EQ(pool.stats().started, 2U);
}

// 31 is SIGSYS.
INSTANTIATE_TEST_SUITE_P(
    All, WorkerFaults,
    testing::Values(Fault{"crash", "aborted: crashed signal=11"},
                    Fault{"leave", "aborted: ended status=7"}, Fault{"hang", "timeout: timeout"},
                    Fault{"spin", "timeout: cpu"}, Fault{"eat", "out of space: memory"},
                    Fault{"too_much", "too long: length=8388608 limit=1048576"},
                    Fault{"socket", "aborted: crashed signal=31"},
                    Fault{"write", "aborted: crashed signal=31"},
                    Fault{"exec", "aborted: crashed signal=31"}),
    [](const auto& param_info) { return std::string(param_info.param.kind); });

TEST(WorkerSandbox, OpensNoFileMakesNoCodeAndNoProcess) {
  Pool pool(settings());
  EXPECT_EQ(run(pool, "read", "/etc/passwd"), std::to_string(EPERM));
  EXPECT_EQ(run(pool, "code"), std::to_string(EPERM));
  EXPECT_EQ(run(pool, "fork"), std::to_string(EPERM));
  EXPECT_EQ(pool.stats().started, 1U);
}

TEST(WorkerSandbox, SeesNoEnvironment) {
  setenv("WORKER_TEST_SECRET", "secret", 1);
  Pool pool(settings());
  EXPECT_EQ(run(pool, "environment"), "");
}

TEST(WorkerSandbox, WritesNoFileAboveItsLimit) {
  Settings s = settings();
  s.limits.output = 1000;
  Pool pool(std::move(s));
  Order order{"copy", {}, {}, {}};
  order.inputs.push_back(memory_file(std::string(5000, 'x')));
  const test::TempDir folder;
  order.outputs.emplace_back(open((folder / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const auto result = submit(pool, std::move(order)).get();
  ASSERT_FALSE(result);
  EXPECT_LE(std::filesystem::file_size(folder / "out"), 1000U);
  EXPECT_EQ(run(pool, "echo", "after"), "after");
}

TEST(WorkerPool, ReplacesAnIdleWorkerThatWasKilled) {
  Pool pool(settings());
  ASSERT_EQ(run(pool, "echo", "up"), "up");
  const pid_t first = only_process(pool);
  const Descriptor dying(static_cast<int>(syscall(SYS_pidfd_open, first, 0)));
  ASSERT_EQ(kill(first, SIGKILL), 0);
  pollfd dead{dying.get(), POLLIN, 0};
  ASSERT_EQ(poll(&dead, 1, 10'000), 1);
  EXPECT_EQ(run(pool, "echo", "again"), "again");
  EXPECT_NE(only_process(pool), first);
  EXPECT_EQ(kill(first, 0), -1);
}

TEST(WorkerPool, AWorkerKilledAtWorkIsOneFailedJob) {
  Pool pool(settings());
  auto hanging = begin_to_hang(pool);
  ASSERT_EQ(kill(only_process(pool), SIGKILL), 0);
  const auto result = hanging.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().to_string(), "aborted: crashed signal=9");
  EXPECT_EQ(run(pool, "echo", "again"), "again");
}

TEST(WorkerPool, RefusesWhatIsTooLarge) {
  Pool pool(settings());
  EXPECT_EQ(run(pool, "echo", std::string(kMaxRequest + 1, 'x')),
            "too long: request length=1048577 limit=1048576");
  EXPECT_EQ(run(pool, std::string(33, 'k')), "too long: kind length=33 limit=32");
  Order order{"copy", {}, {}, {}};
  for (int i = 0; i < 17; ++i) order.inputs.push_back(memory_file(""));
  EXPECT_EQ(submit(pool, std::move(order)).get().error().to_string(),
            "too long: descriptors length=17 limit=16");
  const auto largest = submit(pool, "echo", std::string(kMaxRequest, 'x')).get();
  ASSERT_TRUE(largest) << largest.error().to_string();
  EXPECT_EQ(largest->size(), kMaxRequest);
}

TEST(WorkerPool, RefusesMoreWaitingJobsThanItsLimit) {
  Settings s = settings();
  s.waiting = 2;
  Pool pool(std::move(s));
  std::vector<std::future<Result<Bytes>>> results;
  results.push_back(begin_to_hang(pool));
  for (int i = 0; i < 3; ++i) results.push_back(submit(pool, "hang"));
  const auto refused = results.back().get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kNoSpace);
}

TEST(WorkerPool, StopEndsEveryJobAndEveryProcess) {
  const std::size_t before = open_descriptors();
  Pool pool(settings(2));
  std::vector<std::future<Result<Bytes>>> results;
  for (int i = 0; i < 10; ++i) results.push_back(submit(pool, "hang"));
  pool.stop();
  for (auto& each : results) EXPECT_EQ(each.get().error().code, Errc::kCancelled);
  EXPECT_FALSE(has_children());
  EXPECT_EQ(submit(pool, "echo").get().error().code, Errc::kCancelled);
  EXPECT_EQ(open_descriptors(), before + 2);  // the pool's own two events
}

TEST(WorkerPool, AProgramThatIsNoWorkerFailsItsJobs) {
  for (const std::string& program : {std::string("/nonexistent"), std::string("/bin/true"),
                                     (test::binary_dir() / "test/misbehaving_worker").string()}) {
    Settings s = settings();
    s.command = {program, "never-ready"};
    Pool pool(std::move(s));
    const auto result = submit(pool, "echo").get();
    ASSERT_FALSE(result);
    EXPECT_TRUE(result.error().detail.starts_with("worker not started: ")) << result.error().detail;
  }
  EXPECT_FALSE(has_children());
}

TEST(WorkerPool, AFreshProcessTakesOverAfterItsShareOfJobs) {
  Settings s = settings();
  s.jobs_a_process = 10;
  Pool pool(std::move(s));
  for (int i = 0; i < 25; ++i) ASSERT_EQ(run(pool, "echo", "x"), "x");
  EXPECT_EQ(pool.stats().started, 3U);
}

}  // namespace
}  // namespace dr::worker
