#pragma once

#include <condition_variable>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "router/delivery/destination.h"
#include "router/delivery/http_client.h"

namespace dr::delivery {

/// Delivers over HTTP, with as many connections at once as `associations` says, each with a thread
/// of its own: the client blocks, I/O threads may not. What one request is, is the business of the
/// kinds below it.
class HttpDestination : public Destination {
 public:
  HttpDestination(std::shared_ptr<Core> core, DestinationSettings settings);
  ~HttpDestination() override;

  void start() override;
  void work() override;
  void begin_stop() override;
  void finish_stop(std::chrono::steady_clock::time_point deadline) override;

 protected:
  std::uint32_t associations() const override { return in_flight_; }
  /// Sends one object and says what came of it.
  virtual AttemptResult send(HttpClient& client, StoredObject& object) = 0;

 private:
  void run();
  std::optional<Delivery> next();
  bool may_work() const;  // under the lock
  AttemptResult deliver(HttpClient& client, Attempt& attempt);

  std::vector<HttpClient*> clients_;  // guarded by mutex_, as the rest
  std::uint32_t in_flight_ = 0;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::vector<std::thread> threads_;
};

/// The REST interface of Orthanc: POST /instances. With Verify::kQuery an object is delivered only
/// once Orthanc's own digest of what it stored equals that of what was sent, or its file holds the
/// same data set.
class OrthancDestination final : public HttpDestination {
 public:
  using HttpDestination::HttpDestination;

 private:
  AttemptResult send(HttpClient& client, StoredObject& object) override;
  AttemptResult verify(HttpClient& client, const StoredObject& object, const std::string& md5,
                       const std::string& id, bool was_there) const;
};

/// STOW-RS (PS3.18 10.5): one instance a request, its result from the body of the answer.
class StowDestination final : public HttpDestination {
 public:
  using HttpDestination::HttpDestination;

 private:
  AttemptResult send(HttpClient& client, StoredObject& object) override;
};

}  // namespace dr::delivery
