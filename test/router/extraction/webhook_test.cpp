#include "router/extraction/webhook.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <httplib.h>

#include "router/extraction/store.h"
#include "test/support/temp_dir.h"

namespace dr::extraction {
namespace {

constexpr std::chrono::seconds kPatience{60};

class SteppedClock final : public Clock {
 public:
  UtcMicros now_utc() const override { return from_micros(micros_); }
  SteadyTime now_steady() const override { return {}; }
  void step(std::chrono::microseconds by) { micros_ += by.count(); }

 private:
  std::atomic<std::int64_t> micros_ = 1'700'000'000'000'000;
};

/// A hook that answers as it is told, and keeps what it was sent.
class Hook {
 public:
  Hook() {
    server_.Post("/hook", [this](const httplib::Request& asked, httplib::Response& answer) {
      const std::scoped_lock lock(mutex_);
      asked_.push_back(asked);
      answer.status = status_;
      changed_.notify_all();
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
  }
  ~Hook() {
    server_.stop();
    thread_.join();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
  void answer(int status) {
    const std::scoped_lock lock(mutex_);
    status_ = status;
  }
  std::vector<httplib::Request> wait_for(std::size_t n) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return asked_.size() >= n; })) << n;
    return asked_;
  }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int status_ = 200;
  std::vector<httplib::Request> asked_;
};

class WebhookTest : public testing::Test {
 protected:
  void SetUp() override {
    store_ = *Store::open(file());
    ASSERT_TRUE(
        store_->add_message(journal::Sequence{1}, R"({"event":"extraction"})", clock_.now_utc()));
  }
  std::string file() const { return (folder_ / "extraction.sqlite").string(); }
  std::unique_ptr<Webhook> start(const std::string& url) {
    auto webhook = Webhook::start(file(), {*HttpUrl::parse(url), "key"}, "spool", clock_);
    EXPECT_TRUE(webhook);
    return *std::move(webhook);
  }
  /// Until that many tries have ended: only then may the clock go on.
  bool failed(std::uint32_t attempts) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      const auto next = store_->next_message(from_micros(INT64_MAX));
      if (next && *next && (**next).attempts == attempts) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  bool empty() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      const auto next = store_->next_message(from_micros(INT64_MAX));
      if (next && !*next) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  test::TempDir folder_;
  SteppedClock clock_;
  std::unique_ptr<Store> store_;
};

TEST_F(WebhookTest, SignsItsMessagesAndForgetsThoseThatAreTaken) {
  Hook hook;
  const auto webhook = start(hook.url());
  const auto asked = hook.wait_for(1).front();
  EXPECT_EQ(asked.body, R"({"event":"extraction"})");
  EXPECT_EQ(asked.get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(asked.get_header_value("X-Router-Delivery"), "spool/1");
  // printf '{"event":"extraction"}' | openssl dgst -sha256 -hmac key
  EXPECT_EQ(asked.get_header_value("X-Router-Signature"),
            "sha256="
            "a434b4103eb84d44926f37c3c99dd19fe3027501d0514ef1d05bf5fea71963b3");
  EXPECT_TRUE(empty());
}

TEST_F(WebhookTest, TriesAgainAfterAPauseAndAfterARestart) {
  Hook hook;
  hook.answer(500);
  {
    const auto webhook = start(hook.url());
    ASSERT_TRUE(failed(1));
    clock_.step(std::chrono::seconds(6));
    ASSERT_TRUE(failed(2));
  }
  hook.answer(204);
  clock_.step(std::chrono::seconds(11));
  const auto webhook = start(hook.url());
  const auto asked = hook.wait_for(3);
  EXPECT_EQ(asked[2].get_header_value("X-Router-Delivery"), "spool/1");
  EXPECT_TRUE(empty());
}

TEST_F(WebhookTest, GivesUpAfterAWeek) {
  Hook hook;
  hook.answer(404);
  const auto webhook = start(hook.url());
  ASSERT_TRUE(failed(1));
  clock_.step(std::chrono::hours(8 * 24));
  hook.wait_for(2);
  EXPECT_TRUE(empty());
}

}  // namespace
}  // namespace dr::extraction
