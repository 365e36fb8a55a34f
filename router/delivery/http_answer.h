#pragma once

#include <string>
#include <string_view>

#include "router/delivery/attempt.h"
#include "router/delivery/http_client.h"
#include "router/delivery/status_map.h"

namespace dr::delivery {

/// A request that brought no result about the object: no answer, or a status that speaks of the
/// server, of the credentials or of the request (RFC 9110 15).
AttemptResult no_result(const HttpReply& reply);

/// The answer of Orthanc's POST /instances.
struct OrthancAnswer {
  AttemptResult result;
  std::string id;  // of the instance, where it is there; hexadecimal digits and hyphens
  bool was_there = false;
};
OrthancAnswer orthanc_answer(const HttpReply& reply);

/// The Store Instances Response (PS3.18 10.5.3 and annex I, as DICOM JSON, F.2): what it says
/// of this instance, and never what the HTTP status alone would say.
AttemptResult stow_answer(const HttpReply& reply, std::string_view sop_instance_uid,
                          const StatusMap& map);

}  // namespace dr::delivery
