#pragma once

#include "router/extraction/job.h"

namespace dr::extraction {

/// The worker's side of job.h. kMalformed: not what encode() writes.
Result<Request> decode_request(ByteSpan octets);
Result<Site> decode_site(ByteSpan octets);

}  // namespace dr::extraction
