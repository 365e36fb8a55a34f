#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dimse/base/block_chain.h"
#include "dimse/base/clock.h"
#include "dimse/base/result.h"
#include "router/journal/journal.h"
#include "router/worker/pool.h"
#include "rtstruct/checks.h"

namespace dr::extraction {

struct Settings {
  std::string spool;  // its folder "extraction" and file "extraction.sqlite"
  std::string node;
  worker::Settings workers;
  std::chrono::milliseconds wait{600'000};  // from receipt, for images that are referred to
  std::chrono::milliseconds keep{7LL * 24 * 3'600'000};  // results, and what has passed
  bool segmentation = false;                             // SEG and
  bool report = false;                                   // SR go through the rules
  bool messages = false;                                 // for a webhook
  rtstruct::Expectations expectations;
};

/// A SEG or SR that was made: who decides where it goes gets its record but for the decision.
inline constexpr const char* kListener = "rtstruct";  // where these are said to come from

/// What the node does for extraction. Each from one of its threads.
struct Hooks {
  /// Whether any rule in force extracts: else nothing is noted of what passes.
  std::function<bool()> wanted;
  /// Completes the record of an object that was made here: decision, patient key, association-less
  /// sender. Its UIDs, class and syntax are set; `octets` is the data set.
  std::function<void(journal::ObjectRecord& record, ByteSpan octets)> decide;
  /// An object that was made here is durable. On the journal's writer thread.
  std::function<void(journal::Sequence instance, UtcMicros received,
                     const std::vector<std::string>& destinations)>
      routed;
  /// Whether an operator's `action` lets the patient of this key be forgotten.
  std::function<bool(const journal::OperatorRecord& action, const std::string& patient_key)>
      forgets;
  /// An attempt ended: "done", "failed", "held" or "retried".
  std::function<void(const std::string& outcome, double seconds)> ended;
  /// There is a message for the webhook.
  std::function<void()> message;
};

/// One structure set as who asks for it is told.
struct Told {
  std::string json;  // the document of `dicom-router extract`; empty: none yet, or none at all
  std::string state;
  std::string reason;
  std::uint32_t attempts = 0;
  std::uint64_t sequence = 0;
  UtcMicros received{}, started{}, finished{}, deadline{};
};

struct Counts {
  std::uint64_t waiting = 0, running = 0, held = 0;
};

/// The node's side of extraction: follows the journal with the cursor "extraction", notes images,
/// plans and doses that pass, has structure sets whose rules say so extracted by sandboxed workers,
/// and puts each result into the journal, from where the audit databases get it. A result is in the
/// journal exactly once whatever ends the node: it is stored before it is appended, and what the
/// journal holds already is seen before anything is appended again. A thread of its own.
class Extractor {
 public:
  /// `journal`, `clock` and `blocks` must outlive it. Errors: its store or folder can not be
  /// opened.
  static Result<std::unique_ptr<Extractor>> start(journal::Journal& journal, const Clock& clock,
                                                  BlockPool& blocks, Settings settings,
                                                  Hooks hooks);
  /// stop().
  ~Extractor();
  Extractor(const Extractor&) = delete;
  Extractor& operator=(const Extractor&) = delete;

  /// From journal::Listener: only wakes.
  void advanced(journal::Sequence watermark);
  /// Ends its workers and its thread; what was being extracted is extracted again.
  void stop();

  // For whoever asks; any thread. kNotFound: no such structure set, or no result (any more).
  Result<Told> find(const Uid& sop_instance_uid);
  /// A gzipped NIfTI file.
  Result<Bytes> mask(const Uid& sop_instance_uid, std::int32_t roi_number);
  Counts counts();

 private:
  class Impl;
  explicit Extractor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::extraction
