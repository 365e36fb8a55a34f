#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"

namespace dr::file {

/// What the head of a DICOM file says (PS3.10 7.1), and where its data set begins.
struct Part10Header {
  Uid sop_class_uid;
  Uid sop_instance_uid;
  Uid transfer_syntax_uid;
  std::uint64_t data_set_offset = 0;  // octets from the start of the file
};

/// Octets of a file from `offset` on; fewer than asked only at its end.
using ReadAt = std::function<Result<std::size_t>(std::uint64_t offset, MutableByteSpan into)>;

/// Reads the file meta information and the head of the data set, whose SOP UIDs are the object's
/// own: those of the meta information count only where it has none. Bends where toolkits do: the
/// preamble, "DICM", the meta group's length, or its right value may be missing. What has no meta
/// information, or none with a transfer syntax, is refused (kUnsupported, kMalformed): how its
/// octets are to be read would be a guess. Meta information longer than 1 MiB is kTooLong.
Result<Part10Header> read_part10_header(const ReadAt& read_at);

}  // namespace dr::file
