#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "rtstruct/checks.h"
#include "rtstruct/reference.h"
#include "rtstruct/results.h"

namespace dr::extraction {

inline constexpr std::string_view kJob = "rtstruct";  // the kind of these jobs

enum class Task : std::uint8_t {
  kReferences = 1,  // what the structure set refers to
  kExtract = 2,     // everything about it
  kMask = 3,        // one ROI's voxels as NIfTI
};

/// What a worker is asked about one structure set, its first input.
struct Request {
  Task task = Task::kReferences;
  Uid transfer_syntax_uid;
  bool segmentation = false;    // kExtract: DICOM SEG wanted, and
  bool report = false;          // SR
  rtstruct::ResultUids uids;    // of these
  std::int32_t roi_number = 0;  // kMask
  struct Dose {
    Uid transfer_syntax_uid;
    std::string link;  // rtstruct::Dose::link
  };
  std::vector<Dose> doses;  // kExtract: the third and further inputs
};
Bytes encode(const Request& request);

/// What the node knows around it: the second input of kExtract and kMask.
struct Site {
  rtstruct::ReferenceSet references;  // without its doses
  rtstruct::Expectations expectations;
};
Bytes encode(const Site& site);

/// The answer to kReferences.
struct References {
  Uid sop_instance_uid;
  std::vector<Uid> instances;  // each once
  std::vector<Uid> series;
  std::vector<Uid> frames;  // of reference
};
Bytes encode(const References& references);
Result<References> decode_references(ByteSpan octets);

/// Where the worker puts what kExtract made, in the order of its outputs. What is not there is
/// empty.
enum class Output : std::uint8_t { kJson, kRecords, kSegmentation, kReport, kCount };

/// The records of Output::kRecords, one after another: u32 length, a head of the journal.
void append_record(Bytes& octets, ByteSpan head);
Result<std::vector<Bytes>> split_records(ByteSpan octets);

/// Does it. Runs in the sandbox: opens nothing, reads its inputs and writes its outputs. The answer
/// is a References to kReferences, else empty. Errors: those of reading a structure set; kMask:
/// kNotFound without such a ROI, or where it has no voxel.
Result<Bytes> run_job(ByteSpan request, std::span<const int> inputs, std::span<const int> outputs);
/// Loads what run_job() needs from files: dictionary, character sets, context groups.
void prepare_jobs();

}  // namespace dr::extraction
