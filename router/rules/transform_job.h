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
/// Octets that a deflated data set may have once it is inflated, unless [limits] inflated says
/// more.
inline constexpr std::uint64_t kMostInflated = 4ULL << 30;

/// What a worker is asked: one transform of one object. Its first input has the data set, the
/// others are the CSV files of Transform::maps(), in order; its outputs take the new data set, and
/// for as long as the job runs what a deflated one is inflated to.
struct TransformRequest {
  std::string transform;  // canonical
  Uid transfer_syntax_uid;
  std::string pseudonym_key;
  std::string system;  // the node's AE title
  UtcMicros received{};
  std::string character_set{};  // (0008,0005) of an object that has none
  std::uint64_t offset = 0;     // where the data set begins in its input
  std::uint64_t most_inflated = kMostInflated;
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
/// copy is held: those of apply() and of TransformObject::open(), `map_changed`.
Result<Bytes> run_transform(ByteSpan request, std::span<const int> inputs,
                            std::span<const int> outputs);
/// Loads what run_transform() needs from files: dictionary, character sets, tables.
void prepare_transforms();

}  // namespace dr::rules
