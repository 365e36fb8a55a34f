#include "router/extraction/webhook.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <httplib.h>

#include "dimse/base/log.h"
#include "dimse/base/thread_name.h"
#include "router/audit/seal.h"
#include "router/extraction/store.h"

namespace dr::extraction {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirst{5'000};
constexpr milliseconds kMost{15 * 60'000};
constexpr std::chrono::hours kGiveUp{7 * 24};
constexpr milliseconds kLook{1'000};  // for what is due
constexpr std::chrono::seconds kPatience{5};

milliseconds pause_after(std::uint32_t attempts) {
  const auto doublings = std::min<std::uint32_t>(attempts, 16);
  return std::min<milliseconds>(kMost, kFirst * (1LL << (doublings - 1)));
}

}  // namespace

class Webhook::Impl {
 public:
  Impl(std::unique_ptr<Store> store, WebhookSettings settings, std::string spool_id,
       const Clock& clock)
      : store_(std::move(store)),
        settings_(std::move(settings)),
        sealer_(settings_.secret),
        spool_id_(std::move(spool_id)),
        clock_(clock),
        thread_([this] { run(); }) {}
  ~Impl() { stop(); }

  void wake() {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
    changed_.notify_one();
  }
  void stop() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      changed_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    name_thread("webhook");
    while (wait()) {
      if (const auto done = send_due(); !done) {
        log::event(log::Level::kWarning, "webhook.waiting", {{"error", done.error().to_string()}});
      }
    }
  }

  bool wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kLook, [this] { return stopping_ || woken_; });
    woken_ = false;
    return !stopping_;
  }
  bool stopping() {
    const std::scoped_lock lock(mutex_);
    return stopping_;
  }

  Result<void> send_due() {
    while (!stopping()) {
      auto message = store_->next_message(clock_.now_utc());
      if (!message) return message.error();
      if (!*message) return {};
      if (auto done = send(**message); !done) return done;
    }
    return {};
  }

  Result<void> send(Message& message) {
    const int status = post(message);
    if (status / 100 == 2) return store_->drop_message(message.id);
    ++message.attempts;
    const UtcMicros now = clock_.now_utc();
    const bool give_up = now - message.since > kGiveUp;
    log::event(give_up ? log::Level::kError : log::Level::kWarning,
               give_up ? "webhook.given_up" : "webhook.failed",
               {{"message", static_cast<std::uint64_t>(message.id)},
                {"attempt", message.attempts},
                {"status", status}});
    if (give_up) return store_->drop_message(message.id);
    return store_->postpone(message, now + pause_after(message.attempts));
  }

  /// The status; 0: none came.
  int post(const Message& message) const {
    httplib::Client client(settings_.url.origin);
    client.set_connection_timeout(kPatience);
    client.set_read_timeout(kPatience);
    client.set_write_timeout(kPatience);
    httplib::Headers headers{{"X-Router-Delivery", spool_id_ + "/" + std::to_string(message.id)}};
    if (sealer_.has_key()) {
      headers.emplace("X-Router-Signature", "sha256=" + sealer_.mac(message.body));
    }
    const HttpUrl& url = settings_.url;
    const std::string target =
        (url.path.empty() ? "/" : url.path) + (url.query.empty() ? "" : "?" + url.query);
    const auto answer = client.Post(target, headers, message.body, "application/json");
    return answer ? answer->status : 0;
  }

  const std::unique_ptr<Store> store_;  // of the thread
  const WebhookSettings settings_;
  const audit::Sealer sealer_;
  const std::string spool_id_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false, woken_ = true;  // guarded by mutex_
  std::thread thread_;
};

Result<std::unique_ptr<Webhook>> Webhook::start(const std::string& store, WebhookSettings settings,
                                                const std::string& spool_id, const Clock& clock) {
  auto opened = Store::open(store);
  if (!opened) return std::move(opened).error();
  return std::unique_ptr<Webhook>(new Webhook(
      std::make_unique<Impl>(*std::move(opened), std::move(settings), spool_id, clock)));
}

Webhook::Webhook(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Webhook::~Webhook() = default;
void Webhook::wake() { impl_->wake(); }
void Webhook::stop() { impl_->stop(); }

}  // namespace dr::extraction
