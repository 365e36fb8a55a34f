#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"

namespace dr::rules {

inline constexpr std::string_view kExplainTransformJob = "explain-transform";

/// One element of which a transform changes the value, for people: values in UTF-8, separated by
/// backslashes; nullopt where there was, or is, none.
struct ElementChange {
  std::string element;  // "PatientID", "RequestAttributesSequence[1].ScheduledProcedureStepID"
  std::optional<std::string> before;
  std::optional<std::string> after;
  friend bool operator==(const ElementChange&, const ElementChange&) = default;
};

/// What a transform makes of an object, element by element, in the order of their tags. What is too
/// long is cut, and ends in "…".
struct TransformChanges {
  static constexpr std::size_t kMostValue = 4096;       // octets of a value
  static constexpr std::size_t kMostOctets = 8U << 20;  // of all
  std::vector<ElementChange> elements;
  std::uint64_t left_out = 0;  // further ones, above kMostOctets
};
Bytes encode(const TransformChanges& changes);
Result<TransformChanges> decode_transform_changes(ByteSpan octets);

/// Says what a TransformRequest would do. Inputs as of run_transform(), the only output is for what
/// is inflated. Runs in the sandbox: opens nothing. Errors as run_transform().
Result<Bytes> explain_transform(ByteSpan request, std::span<const int> inputs,
                                std::span<const int> outputs);

}  // namespace dr::rules
