#include "router/delivery/http_answer.h"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

namespace dr::delivery {

using Ending = AttemptResult::Ending;
using Json = nlohmann::json;

namespace {

AttemptResult ended(Ending ending, std::string outcome) {
  AttemptResult result;
  result.ending = ending;
  result.outcome = std::move(outcome);
  return result;
}

/// Nothing about the object: the destination takes nothing now. `slow`: a person must act.
AttemptResult at_fault(std::string why, bool slow) {
  AttemptResult result = ended(Ending::kPostponed, why);
  result.fault = std::move(why);
  result.slow = slow;
  return result;
}

AttemptResult held_for(std::string reason) {
  AttemptResult result = ended(Ending::kHeld, "refused");
  result.reason = std::move(reason);
  return result;
}

std::string text_at(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

/// The first value of an attribute in the DICOM JSON model.
const Json* first_value(const Json& item, const char* tag) {
  const auto at = item.is_object() ? item.find(tag) : item.end();
  if (!item.is_object() || at == item.end() || !at->is_object()) return nullptr;
  const auto values = at->find("Value");
  if (values == at->end() || !values->is_array() || values->empty()) return nullptr;
  return &(*values)[0];
}

std::optional<std::uint16_t> reason_of(const Json& item, const char* tag) {
  const Json* const value = first_value(item, tag);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  const auto number = value->get<std::int64_t>();
  if (number < 0 || number > 0xffff) return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

/// The item of a sequence that is about this instance.
const Json* item_of(const Json& response, const char* sequence, std::string_view uid) {
  const auto at = response.find(sequence);
  if (at == response.end() || !at->is_object()) return nullptr;
  const auto items = at->find("Value");
  if (items == at->end() || !items->is_array()) return nullptr;
  for (const Json& item : *items) {
    const Json* const value = first_value(item, "00081155");  // Referenced SOP Instance UID
    if (value != nullptr && value->is_string() && value->get<std::string>() == uid) return &item;
  }
  return nullptr;
}

/// Orthanc says 404 also of an object that has not all identifiers that it stores by: "Inexistent
/// tag", among its own error codes.
bool lacks_identifiers(const HttpReply& reply) {
  constexpr int kInexistentTag = 21;
  const Json json = Json::parse(reply.body, nullptr, false);
  return reply.status == 404 && json.is_object() &&
         json.value("OrthancStatus", Json()) == kInexistentTag;
}

}  // namespace

AttemptResult no_result(const HttpReply& reply) {
  if (reply.failure) return unreadable(*reply.failure);
  if (reply.status == 0) {
    if (!reply.connected) return at_fault(std::string(reply.trouble), reply.trouble == "tls");
    return ended(reply.sent_all ? Ending::kUnknown : Ending::kRetry, std::string(reply.trouble));
  }
  const std::string what = "http_" + std::to_string(reply.status);
  switch (reply.status) {
    case 401:
    case 403:
    case 404:
    case 405:
      return at_fault(what, true);
    case 429:
    case 502:
    case 503:
    case 504:
    case 507:
      return at_fault(what, false);
    case 411:
    case 413:
    case 415:
      return held_for(what);
    case 408:
    case 425:
    case 500:
      return ended(Ending::kRetry, "busy");
    default:
      break;
  }
  // Redirections are not followed: whoever set the URL must know where objects go.
  if (reply.status >= 300 && reply.status < 400) return at_fault(what, true);
  if (reply.status >= 500) return ended(Ending::kRetry, "busy");
  if (reply.status >= 400) return ended(Ending::kRefused, "refused");
  return ended(Ending::kUnknown, "no_result");
}

OrthancAnswer orthanc_answer(const HttpReply& reply) {
  OrthancAnswer answer;
  if (reply.status != 200) {
    answer.result =
        lacks_identifiers(reply) ? ended(Ending::kRefused, "refused") : no_result(reply);
    return answer;
  }
  const Json json = Json::parse(reply.body, nullptr, false);
  const std::string status = json.is_object() ? text_at(json, "Status") : "";
  if (status == "Success" || status == "AlreadyStored") {
    answer.id = text_at(json, "ID");
    const bool fine = !answer.id.empty() && answer.id.size() <= 64 &&
                      answer.id.find_first_not_of("0123456789abcdef-") == std::string::npos;
    if (fine) {
      answer.was_there = status == "AlreadyStored";
      answer.result = ended(Ending::kDelivered, "delivered");
      if (answer.was_there) answer.result.comment = "already there";
      return answer;
    }
    answer.id.clear();
  }
  if (status == "FilteredOut") {
    answer.result = held_for("filtered_out");
  } else if (status == "StorageFull") {
    answer.result = at_fault("storage_full", false);
  } else if (status == "Failure") {
    answer.result = ended(Ending::kRetry, "busy");
  } else {
    answer.result = ended(Ending::kUnknown, "no_result");
  }
  return answer;
}

AttemptResult stow_answer(const HttpReply& reply, std::string_view sop_instance_uid,
                          const StatusMap& map) {
  if (reply.status != 200 && reply.status != 202 && reply.status != 409) return no_result(reply);
  const Json json = Json::parse(reply.body, nullptr, false);
  const Json* response = &json;
  if (json.is_array() && !json.empty()) response = &json[0];  // some wrap it
  if (response->is_object()) {
    // Failed SOP Sequence, Failure Reason
    if (const Json* const item = item_of(*response, "00081198", sop_instance_uid)) {
      return answered(reason_of(*item, "00081197").value_or(0x0110), "", 0, map);
    }
    // Referenced SOP Sequence, Warning Reason
    if (const Json* const item = item_of(*response, "00081199", sop_instance_uid)) {
      return answered(reason_of(*item, "00081196").value_or(0), "", 0, map);
    }
  }
  return ended(Ending::kUnknown, "no_result");
}

}  // namespace dr::delivery
