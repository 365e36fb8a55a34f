#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dimse/base/uid.h"
#include "router/rules/transform.h"
#include "router/rules/transform_job.h"
#include "router/rules/transform_tree.h"

namespace dr::rules {

/// The object of a job, parsed. Deflated data sets (PS3.5 A.5) are inflated first, into `scratch`,
/// and are explicit VR little endian from then on: no more of them is in memory than of others.
class TransformObject {
 public:
  /// The data set that begins at request.offset of the open `file`. Errors begin with the reason
  /// why the copy is held: `malformed`, `inflated` (longer than request.most_inflated), `output`.
  static Result<std::unique_ptr<TransformObject>> open(const TransformRequest& request, int file,
                                                       int scratch);

  DataSet& set() { return *set_; }
  const Uid& transfer_syntax_uid() const { return transfer_syntax_uid_; }

 private:
  std::unique_ptr<Source> source_;
  std::optional<DataSet> set_;
  Uid transfer_syntax_uid_;
};

using Maps = std::vector<std::map<std::string, std::string>>;
/// The CSV files of transform.maps(), in order. kConflict `map_changed`: not those that the rules
/// were loaded with.
Result<Maps> read_maps(const Transform& transform, std::span<const int> files);

/// All octets to an open file. kNoSpace `output`.
Result<void> put_out(int file, ByteSpan octets);

}  // namespace dr::rules
