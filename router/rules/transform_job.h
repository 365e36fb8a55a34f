#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/clock.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"

namespace dr::rules {

inline constexpr std::string_view kTransformJob = "transform";

/// What a worker is asked: one transform of one object. Its first input is the data set, the
/// others are the CSV files of Transform::maps(), in order; its output takes the new data set.
struct TransformRequest {
  std::string transform;  // canonical
  Uid transfer_syntax_uid;
  std::string pseudonym_key;
  std::string system;  // the node's AE title
  UtcMicros received{};
};

/// What became of it.
struct TransformResult {
  Uid sop_class_uid;  // empty where the copy names none that is legal
  Uid sop_instance_uid;
  Uid study_instance_uid;   // empty where the copy names none that is legal
  Uid series_instance_uid;  // likewise
  Uid transfer_syntax_uid;  // deflated data sets come back as explicit VR little endian
  std::uint64_t octets = 0;
  /// Pairs of original and new UID, each sealed under the pseudonym key.
  std::vector<std::string> sealed_uids;
};

Bytes encode(const TransformRequest& request);
Bytes encode(const TransformResult& result);
Result<TransformRequest> decode_transform_request(ByteSpan octets);
Result<TransformResult> decode_transform_result(ByteSpan octets);

/// Does it. Runs in the sandbox: opens nothing. The error's detail begins with the reason why the
/// copy is held: those of apply(), `map_changed`, `key_missing`, `output`.
Result<Bytes> run_transform(ByteSpan request, std::span<const int> inputs,
                            std::span<const int> outputs);
/// Loads what run_transform() needs from files: dictionary, character sets, tables.
void prepare_transforms();

/// One element of which a transform changes the value, for people.
struct ElementChange {
  std::string element;  // "PatientID", "RequestAttributesSequence[1].ScheduledProcedureStepID"
  std::string before;   // values in UTF-8, separated by backslashes; empty where there was none
  std::string after;
  bool was_there = false;
  bool is_there = false;
};
/// What the request makes of the data set that begins at `offset` of a file, element by element, in
/// the order of their tags. Reads the CSV files itself: for commands, not for workers.
Result<std::vector<ElementChange>> explain_transform(const TransformRequest& request, int file,
                                                     std::uint64_t offset = 0);

}  // namespace dr::rules
