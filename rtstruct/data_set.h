#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <dcmtk/dcmdata/dctk.h>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "dimse/encoding/text.h"
#include "rtstruct/nesting.h"

namespace dr::rtstruct {

/// A parsed data set with what is needed to read its values. For .cpp files of this folder: DCMTK
/// stays out of the headers that others include.
class DataSet {
 public:
  static constexpr std::size_t kMostText = 1024;

  /// Parses `octets` (no preamble, no meta information) after check_nesting(). Deflated data sets
  /// are inflated under `limits`. kMalformed, kTooLong, kUnsupported (compressed pixel data is
  /// never asked for here).
  static Result<DataSet> parse(ByteSpan octets, const Uid& transfer_syntax,
                               const TreeLimits& limits = {});

  DcmDataset& root() { return *root_; }

  /// The first value, without padding, in UTF-8; empty where absent. Octets above kMostText are
  /// cut.
  std::string text(DcmItem& item, const DcmTagKey& tag,
                   encoding::Vr v = encoding::vr('L', 'O')) const;
  /// The whole value as its octets, without copying; valid as long as the data set.
  std::string_view raw(DcmItem& item, const DcmTagKey& tag) const;

 private:
  std::unique_ptr<DcmDataset> root_;
  std::unique_ptr<encoding::TextDecoder> text_;
};

/// The octets of a whole data set, explicit VR little endian. kInvalid.
Result<Bytes> encode(DcmDataset& data_set);

/// An absent or illegal UID is empty.
Uid read_uid(const DataSet& data, DcmItem& item, const DcmTagKey& tag);
std::optional<std::int64_t> read_integer(const DataSet& data, DcmItem& item, const DcmTagKey& tag);
std::optional<double> read_decimal(const DataSet& data, DcmItem& item, const DcmTagKey& tag);

/// Calls `each(DcmItem&)` for every item; an absent sequence has none. Stops at the first error.
template <class Each>
Result<void> for_each_item(DcmItem& item, const DcmTagKey& tag, Each each) {
  DcmSequenceOfItems* sequence = nullptr;
  if (item.findAndGetSequence(tag, sequence).bad() || sequence == nullptr) return {};
  for (DcmObject* at = sequence->nextInContainer(nullptr); at != nullptr;
       at = sequence->nextInContainer(at)) {
    if (auto done = each(static_cast<DcmItem&>(*at)); !done) return done;
  }
  return {};
}

}  // namespace dr::rtstruct
