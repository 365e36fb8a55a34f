#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "router/delivery/alarm.h"
#include "router/delivery/destination.h"
#include "router/delivery/gathering.h"
#include "router/delivery/loop_guard.h"
#include "router/delivery/references.h"

namespace dr::delivery {

/// Reads the journal once for all destinations: first what is not final, then every new object, and
/// hands each route to its destination's queue. A thread of its own, since both may wait for the
/// disk; a bounded number of records a turn.
class Follower {
 public:
  using Destinations = std::vector<std::shared_ptr<Destination>>;

  Follower(std::shared_ptr<Core> core, const Destinations& destinations);
  ~Follower();

  void start();
  void stop();
  /// From any thread; only wakes.
  void advanced(journal::Sequence watermark);
  /// From any thread: told to every destination, since it is not sent anywhere any more.
  void damaged(journal::Sequence instance, const Error& why);
  std::uint64_t orphans() const noexcept { return orphans_; }

 private:
  void run();
  void resume(journal::Sequence watermark);
  bool resume_one(const journal::OpenDelivery& open);
  void retrace(journal::Sequence watermark);
  bool retrace_some(journal::Sequence watermark);
  /// A turn, towards what is `durable`. False: the journal could not be read; tried again after a
  /// pause.
  bool follow_some(journal::Sequence durable);
  void distribute(const journal::Record& record);
  void remember(const journal::Record& record);
  void place(Destination& destination, Delivery delivery, const journal::ObjectRecord& object,
             const journal::WaitRecord& wait, Gathering::Place place);
  void passed(const journal::ObjectRecord& object);
  bool references_here(journal::Sequence instance, const std::string& destination,
                       const journal::WaitRecord& wait, const journal::ObjectRecord& object);
  void act(const Gathering::Actions& actions);
  void send_again(Destination& destination, journal::Sequence instance);
  void gather_due();
  void tell_touched();
  void tell_damaged();
  Destination* find(const std::string& name);
  Gathering::Now now() const { return {core_->now(), core_->now_utc()}; }
  void time_has_come();
  bool stopping();
  /// True: it is time to stop.
  bool pause();

  const std::shared_ptr<Core> core_;
  std::map<std::string, Destination*, std::less<>> destinations_;
  std::set<Destination*> touched_;
  journal::Sequence position_{};
  std::atomic<std::uint64_t> orphans_{0};

  // The last record that resume() read: an object has several routes.
  journal::Sequence read_{};
  journal::ObjectRecord record_;
  Octets octets_;  // of its data set

  Gathering gathering_;
  References references_;
  journal::Cursor* cursor_ = nullptr;  // what gathering needs of the journal is kept
  journal::Sequence retraced_{};       // up to which gathering knows the records of earlier lives
  bool all_retraced_ = false;
  std::vector<journal::OpenDelivery> postponed_;  // until then
  const std::shared_ptr<Alarm> alarm_;

  std::mutex mutex_;
  std::condition_variable wake_;
  journal::Sequence watermark_{};  // guarded by mutex_, as is
  bool stopping_ = false;
  bool time_has_come_ = false;
  std::vector<std::pair<journal::Sequence, Error>> damaged_;
  std::thread thread_;
};

}  // namespace dr::delivery
