#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"

namespace dr::worker {

/// Where a worker finds the socket to its node.
inline constexpr int kSocket = 3;

/// One job, as a handler sees it. The descriptors are open and are closed after the job.
struct Request {
  ByteSpan octets;
  std::span<const int> inputs;   // to read from
  std::span<const int> outputs;  // to write to
};

/// What a worker can do.
struct Handler {
  std::string kind;               // "transform"; at most kMaxKind octets
  std::function<void()> prepare;  // before the sandbox closes: what must be loaded from files
  /// Runs in the sandbox: opens nothing. std::bad_alloc may leave it and ends the process as one
  /// that has used up its memory. The error's detail goes to the node (at most kMaxDetail octets):
  /// never patient data.
  std::function<Result<Bytes>(const Request&)> run;
};

/// The life of a worker process: prepares all handlers, closes the sandbox, and does the jobs that
/// come from its node until that is gone. The process's exit status.
int serve(const std::vector<Handler>& handlers);

}  // namespace dr::worker
