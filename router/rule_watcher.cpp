#include "router/rule_watcher.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"

namespace dr {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A change is told once nothing more has come for kQuiet, and at the latest after kAtMost.
constexpr milliseconds kQuiet{200};
constexpr milliseconds kAtMost{2000};

// Not IN_CREATE and IN_MODIFY: a file that is being written is looked at when it is closed.
constexpr std::uint32_t kInFolder =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_ONLYDIR;
constexpr std::uint32_t kInParent = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;

Error failed(const char* what, int number) {
  return {Errc::kIo, std::string(what) + ": " + std::strerror(number)};
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

class Watcher final : public RuleWatcher {
 public:
  Watcher(std::filesystem::path folder, std::function<void()> changed)
      : folder_(folder.has_filename() ? std::move(folder) : folder.parent_path()),
        changed_(std::move(changed)),
        inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
        stop_(::eventfd(0, EFD_CLOEXEC)) {}

  ~Watcher() override {
    const std::uint64_t one = 1;
    // An eventfd that has room takes 8 octets whole, and this one is written once.
    (void)!::write(stop_.get(), &one, sizeof one);
    if (thread_.joinable()) thread_.join();
  }

  Result<void> start() {
    if (inotify_.get() < 0 || stop_.get() < 0) return failed("inotify", errno);
    const std::filesystem::path parent = folder_.parent_path();
    parent_ = ::inotify_add_watch(inotify_.get(), parent.c_str(), kInParent);
    if (parent_ < 0) return failed(parent.c_str(), errno);
    watch_folder();
    thread_ = std::thread([this] { run(); });
    return {};
  }

 private:
  /// What the name leads to now. Absent: the parent tells when it comes.
  void watch_folder() {
    const int watch = ::inotify_add_watch(inotify_.get(), folder_.c_str(), kInFolder);
    if (watch == watched_) return;
    if (watched_ >= 0) ::inotify_rm_watch(inotify_.get(), watched_);
    watched_ = watch;
    if (watch >= 0) return;
    log::event(log::Level::kWarning, "rules.not_watched",
               {{"folder", folder_.string()}, {"error", std::strerror(errno)}});
  }

  void run() {
    name_thread("rules");
    for (;;) {
      if (!wait({})) return;
      const auto latest = Clock::now() + kAtMost;
      read_events();
      while (pending_ && Clock::now() < latest) {
        const bool more = wait(kQuiet);
        if (stopped_) return;
        if (!more) break;
        read_events();
      }
      if (std::exchange(pending_, false)) changed_();
    }
  }

  /// True: there is something to read. False: time is up, or the end has come.
  bool wait(std::optional<milliseconds> most) {
    std::array<pollfd, 2> fds = {{{inotify_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
    const int timeout = most ? static_cast<int>(most->count()) : -1;
    while (::poll(fds.data(), fds.size(), timeout) < 0) {
      if (errno != EINTR) {
        log::event(log::Level::kError, "rules.not_watched", {{"error", std::strerror(errno)}});
        stopped_ = true;
        return false;
      }
    }
    stopped_ = fds[1].revents != 0;
    return !stopped_ && fds[0].revents != 0;
  }

  void read_events() {
    alignas(inotify_event) std::array<char, 16384> buffer;
    for (;;) {
      const ssize_t n = ::read(inotify_.get(), buffer.data(), buffer.size());
      if (n <= 0) return;
      for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(n);) {
        inotify_event event;
        std::memcpy(&event, buffer.data() + at, sizeof event);
        const char* const name = buffer.data() + at + sizeof event;
        take(event, event.len > 0 ? std::string_view(name) : std::string_view());
        at += sizeof event + event.len;
      }
    }
  }

  void take(const inotify_event& event, std::string_view name) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      watch_folder();
      pending_ = true;
    } else if (event.wd == parent_) {
      if (name != folder_.filename().native()) return;
      watch_folder();
      pending_ = true;
    } else if (event.wd == watched_) {
      if ((event.mask & IN_IGNORED) != 0) watched_ = -1;
      // Editors' own files do not count; what a link leads to may have any name.
      pending_ = pending_ || !(name.starts_with('.') && !name.starts_with(".."));
    }
  }

  const std::filesystem::path folder_;
  const std::function<void()> changed_;
  const Descriptor inotify_;
  const Descriptor stop_;
  int parent_ = -1;
  int watched_ = -1;
  bool pending_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<RuleWatcher>> RuleWatcher::start(const std::filesystem::path& folder,
                                                        std::function<void()> changed) {
  auto watcher = std::make_unique<Watcher>(folder, std::move(changed));
  if (auto started = watcher->start(); !started) return started.error();
  return std::unique_ptr<RuleWatcher>(std::move(watcher));
}

}  // namespace dr
