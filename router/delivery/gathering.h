#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dimse/base/clock.h"
#include "router/journal/records.h"

namespace dr::delivery {

/// Strategy: what waits for its series, its study or its references, and acts once on the whole.
///
/// Everything that it knows comes from the journal, in the journal's order, at a start as in the
/// running node: objects with a wait, the GatheredRecords that close a whole, outcomes. It decides
/// only when to write such a record; what follows from one follows when it is read back, so it is
/// durable then, and a crash before or behind it comes to the same. No I/O; one thread.
class Gathering {
 public:
  struct Now {
    SteadyTime steady;
    UtcMicros utc;
  };
  enum class Place : std::uint8_t {
    kSend,    // at once
    kGather,  // waits until an action names it
    kHold,    // late
  };
  /// What is to become of one object at one destination.
  struct Action {
    enum class Kind : std::uint8_t {
      kSend,   // it has waited long enough
      kHold,   // it waited and turns out to be late
      kAgain,  // it was delivered, and goes with the whole once more
      kGiveUp  // as kAgain, and still not delivered: its octets are not kept any longer
    };
    Kind kind;
    std::string destination;
    journal::Sequence instance;
    friend bool operator==(const Action&, const Action&) = default;
  };
  using Actions = std::vector<Action>;
  struct Bounds {
    std::chrono::hours remember{24};          // a whole that is complete, for what comes late
    std::size_t wholes = 10'000;              // so many of them
    std::uint32_t rounds = 10;                // a whole is sent so often
    std::uint64_t kept_octets = 16ULL << 30;  // received since the first object of one that may
                                              // be sent again; and no more objects than
    std::size_t kept_objects = 1'000'000;
    std::uint64_t behind = 256ULL << 20;  // octets received since a record that must be kept
  };

  Gathering() = default;
  explicit Gathering(Bounds bounds) : bounds_(bounds) {}

  /// An object whose route to `destination` has a wait, in order of sequence. Where references are
  /// waited for, `complete` says that they are all here.
  Place object(journal::Sequence instance, const std::string& destination,
               const journal::WaitRecord& wait, const journal::ObjectRecord& record, Now now,
               bool complete = false);
  /// Every record that was read, so that what is kept for sending again stays bounded.
  void passed(std::uint64_t octets) { octets_ += octets; }
  /// A record that is durable.
  Actions gathered(const journal::GatheredRecord& record, journal::Sequence sequence, Now now);
  /// Only those of objects that may be sent again matter.
  bool wants_outcomes() const { return !kept_.empty(); }
  void outcome(const journal::OutcomeRecord& outcome, Now now);
  /// What an object waited for is here: its record is due.
  void complete(const std::string& destination, const Uid& sop_instance_uid, Now now);

  /// Where one that has no outcome yet belongs, after all records have been read.
  Place place(journal::Sequence instance, const std::string& destination,
              const journal::WaitRecord& wait, const journal::ObjectRecord& record) const;
  /// After all records have been read at a start: what the last life had still to send again.
  Actions unfinished() const;

  struct Due {
    std::vector<journal::GatheredRecord> records;  // to be written
    Actions actions;
  };
  Due due(Now now);
  std::optional<SteadyTime> next_due() const;
  /// Records for which too much else would have to be kept, or that stand before `before`: to be
  /// written again, as they are.
  std::vector<journal::GatheredRecord> left_behind(journal::Sequence before);
  /// Everything before it is not needed any more, as far as this strategy goes.
  journal::Sequence needed_from(journal::Sequence position) const;
  std::size_t size() const { return wholes_.size(); }

 private:
  struct Key {
    std::string destination;
    std::uint8_t until = 0;
    Uid whole;
    auto operator<=>(const Key&) const = default;
  };
  struct Kept {
    journal::Sequence instance{};
    bool done = false;   // delivered since it was last sent
    bool again = false;  // sent more than once
  };
  struct Whole {
    journal::WaitRecord wait;
    UtcMicros first_received{};
    UtcMicros last_received{};
    journal::Sequence first{};
    journal::Sequence last{};  // of the round that is complete
    std::uint32_t round = 0;   // complete so often
    bool open = true;          // waits for more
    bool closing = false;      // its record is on its way
    bool moving = false;       // its record is being written again
    bool complete = false;     // its references are here
    UtcMicros closed{};
    std::string reason;
    std::uint64_t octets = 0;  // octets_ at its first object
    std::vector<journal::Sequence> waiting;
    std::vector<Kept> kept;  // sent; only where all may be sent again
    SteadyTime timer = SteadyTime::max();
    journal::Sequence recorded{};   // where its record stands, and
    std::uint64_t recorded_at = 0;  // octets_ there
    journal::Sequence pin{};        // the first record that it needs; kNone: none
  };
  using Node = std::pair<const Key, Whole>;

  static Key key_of(const std::string& destination, const journal::WaitRecord& wait,
                    const journal::ObjectRecord& record);
  static journal::GatheredRecord record_of(const Node& node);
  static bool may_be_sent_again(const Whole& whole);
  static bool unfinished(const Whole& whole);
  bool may_reopen(const Whole& whole, UtcMicros received) const;
  Place late(Node& node, journal::Sequence instance, UtcMicros received, Now now);
  void wait_for_more(Node& node, journal::Sequence instance, UtcMicros received, Now now);
  void close(Node& node, Due& due, Now now);
  void release(Node& node, Actions& actions);
  void end_keeping(Node& node, Actions& actions);
  void set_timer(Node& node, SteadyTime at);
  void set_pin(Node& node, journal::Sequence pin);
  void arm_open(Node& node, Now now);
  void arm_closed(Node& node, Now now);
  void forget(Node& node);
  void forget_oldest();

  Bounds bounds_;
  std::map<Key, Whole> wholes_;
  std::set<std::pair<SteadyTime, Node*>> timers_;
  std::set<std::pair<journal::Sequence, Node*>> pins_;
  std::multimap<journal::Sequence, Node*> kept_;
  std::uint64_t octets_ = 0;
};

}  // namespace dr::delivery
