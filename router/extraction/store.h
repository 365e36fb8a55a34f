#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/clock.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "router/extraction/heads.h"
#include "router/journal/records.h"
#include "rtstruct/reference.h"

namespace dr::extraction {

/// Where the extraction of one structure set stands. Leads from left to right; a dose that passes
/// later leads from kDone back to kReady.
enum class State : std::uint8_t {
  kNew,         // what it refers to is not known yet
  kWaiting,     // for images that it refers to, until its deadline
  kReady,       // to be extracted
  kPublishing,  // the result is here, and goes to the journal
  kDone,
  kFailed,  // the object itself is at fault, for good
  kHeld,    // its worker failed twice: an operator must look at it
};
std::string_view name(State state);

struct Job {
  journal::Sequence instance{};
  Uid sop_instance_uid;
  Uid transfer_syntax_uid;
  std::string patient_key;  // as in the object's record
  UtcMicros received{};
  State state = State::kNew;
  std::uint32_t attempts = 0;  // that failed
  std::string reason;          // of the last failure
  UtcMicros deadline{};        // of kWaiting
  std::string references;      // encode(References), once known
  std::string doses;           // of the last extraction: text_of(DoseOf), in order
  bool objects_made = false;   // SEG and SR are in the journal, or not wanted
  UtcMicros started{}, finished{};
};

/// An RT Plan or an RT Dose that has passed.
struct Linked {
  Uid sop_instance_uid;
  journal::Sequence instance{};
  bool dose = false;
  Uid transfer_syntax_uid;
  Links links;
  std::string patient_key;
};

/// A dose of a structure set, and by what it belongs to it.
struct DoseOf {
  Linked dose;
  std::string link;
};

/// Tells one choice of doses from another.
std::string text_of(std::span<const DoseOf> doses);

/// What is still to be put into the journal of a job in kPublishing, in order.
struct Outgoing {
  std::int64_t id = 0;
  bool object = false;  // a DICOM object: SEG or SR; else a head of an ExtractionRecord
  Uid sop_class_uid, sop_instance_uid;  // of an object
  Bytes octets;
};

/// A message that some webhook has not taken yet.
struct Message {
  std::int64_t id = 0;
  std::string body;
  std::uint32_t attempts = 0;
  UtcMicros since{};
};

/// The store's file in a spool.
std::string store_file(const std::string& spool);

/// What extraction knows across restarts, in a SQLite file of the spool (0600): what has passed,
/// and every job. Changes are made between begin() and commit(), which is on disk when it returns.
/// One thread; another opens it a second time. SQLite's failures are kIo.
class Store {
 public:
  static Result<std::unique_ptr<Store>> open(const std::string& path);
  virtual ~Store() = default;

  virtual Result<void> begin() = 0;
  virtual Result<void> commit() = 0;
  virtual void roll_back() = 0;

  /// Up to where the journal has been read.
  virtual Result<journal::Sequence> position() = 0;
  virtual Result<void> set_position(journal::Sequence position) = 0;

  virtual Result<void> add_instance(const Uid& sop_instance_uid,
                                    const std::optional<rtstruct::ImageSlice>& slice,
                                    const std::string& patient_key, UtcMicros seen) = 0;
  virtual Result<void> add_linked(const Linked& linked, UtcMicros seen) = 0;
  /// Those of `wanted` that have passed.
  virtual Result<std::set<Uid>> present(std::span<const Uid> wanted) = 0;
  /// All slices of the series that hold one of `instances`, or are named, or lie in a frame.
  virtual Result<std::vector<rtstruct::ImageSlice>> slices(std::span<const Uid> instances,
                                                           std::span<const Uid> series,
                                                           std::span<const Uid> frames) = 0;
  /// The doses of a structure set: those that lead to it (by themselves or by their plan); where
  /// there are none, those of its frames of reference that lead to no other.
  virtual Result<std::vector<DoseOf>> doses(const Uid& structure_set,
                                            std::span<const Uid> frames) = 0;

  /// The structure set that a plan refers to; empty: not known.
  virtual Result<Uid> structure_set_of(const Uid& plan) = 0;

  virtual Result<void> put(const Job& job) = 0;  // as it is now
  virtual Result<std::uint64_t> count(State state) = 0;
  virtual Result<void> set_frames(journal::Sequence instance, std::span<const Uid> frames) = 0;
  virtual Result<std::vector<Job>> in_frame(const Uid& frame_of_reference) = 0;
  /// In order of instances; those in a final state only where asked for.
  virtual Result<std::vector<Job>> jobs(bool final_too) = 0;
  /// The youngest of this object.
  virtual Result<std::optional<Job>> find(const Uid& sop_instance_uid) = 0;
  virtual Result<void> set_result(journal::Sequence instance, std::string_view json) = 0;
  /// Empty: none yet.
  virtual Result<std::string> result(journal::Sequence instance) = 0;

  virtual Result<void> add_outgoing(journal::Sequence instance, const Outgoing& outgoing) = 0;
  virtual Result<std::vector<Outgoing>> outgoing(journal::Sequence instance) = 0;
  virtual Result<void> drop_outgoing(journal::Sequence instance) = 0;
  virtual Result<void> drop_outgoing_object(const Uid& sop_instance_uid) = 0;

  /// `instance`: the structure set that it is about.
  virtual Result<void> add_message(journal::Sequence instance, std::string_view body,
                                   UtcMicros now) = 0;
  virtual Result<std::optional<Message>> next_message(UtcMicros now) = 0;
  virtual Result<void> postpone(const Message& message, UtcMicros until) = 0;
  virtual Result<void> drop_message(std::int64_t id) = 0;

  /// Every patient's key that something here has.
  virtual Result<std::vector<std::string>> patient_keys() = 0;
  /// Forgets what was received of a patient until then: images, plans, doses, jobs in whatever
  /// state, results and messages. The jobs.
  virtual Result<std::vector<journal::Sequence>> forget(const std::string& patient_key,
                                                        UtcMicros until) = 0;
  /// Forgets what passed or ended before.
  virtual Result<void> purge(UtcMicros before) = 0;
  /// The objects whose octets are still needed.
  virtual Result<std::set<journal::Sequence>> inputs() = 0;
};

}  // namespace dr::extraction
