#pragma once

#include <string>

#include "dimse/base/ae_title.h"
#include "dimse/base/bytes.h"
#include "dimse/base/uid.h"

namespace dr::file {

/// What the head of a file that we write states (PS3.10 table 7.1-1).
struct Part10Meta {
  Uid sop_class_uid;
  Uid sop_instance_uid;
  Uid transfer_syntax_uid;  // of the data set, whose octets follow as they are
  Uid implementation_class_uid;
  std::string implementation_version_name;  // at most 16 characters; left out when empty
  AeTitle source_ae_title;                  // left out when empty
};

/// Preamble of zeros, "DICM" and the file meta information group: all that stands before the data
/// set (PS3.10 7.1).
Bytes part10_head(const Part10Meta& meta);

}  // namespace dr::file
