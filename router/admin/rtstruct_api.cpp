#include "router/admin/rtstruct_api.h"

#include <charconv>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "dimse/base/log.h"

namespace dr::admin {
namespace {

constexpr std::string_view kPath = "/api/v1/rtstruct/";
constexpr std::string_view kMasks = "/masks/";
constexpr std::string_view kNifti = ".nii.gz";

Response unavailable(const Error& error) {
  if (error.code == Errc::kNotFound) return error_response(404, "not_found", error.detail);
  return error_response(503, "unavailable", error.to_string());
}

/// Each number stays as `extract` writes it: the member goes in before the first one.
std::string with_member(const std::string& document, const nlohmann::json& extraction) {
  const std::size_t open = document.find('{');
  const std::string text =
      extraction.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return "{\"extraction\":" + text + "," + document.substr(open + 1) + "\n";
}

Response result(NodeView& node, const Uid& uid) {
  const auto told = node.structure_set(uid);
  if (!told) return unavailable(told.error());
  Response response;
  if (!told->document.empty()) {
    response.body = with_member(told->document, told->extraction);
    return response;
  }
  response.status = told->ended ? 200 : 202;
  response.body = with_member("{\"sop_instance_uid\":\"" + uid.str() + "\"}", told->extraction);
  return response;
}

Response mask(NodeView& node, const Uid& uid, std::string_view file) {
  std::int32_t roi = 0;
  const auto [end, failed] = std::from_chars(file.data(), file.data() + file.size(), roi);
  if (failed != std::errc() || std::string_view(end, file.data() + file.size()) != kNifti) {
    return error_response(404, "not_found", "a mask is named ROI_NUMBER.nii.gz");
  }
  auto octets = node.mask(uid, roi);
  if (!octets) return unavailable(octets.error());
  Response response;
  response.content_type = "application/gzip";
  response.body = as_text(*octets);
  return response;
}

}  // namespace

bool is_rtstruct_path(std::string_view path) {
  return path.starts_with(kPath) && path.size() > kPath.size();
}

Response rtstruct(NodeView& node, const Request& request) {
  const std::string_view rest = std::string_view(request.path).substr(kPath.size());
  const std::size_t masks = rest.find(kMasks);
  const std::string text(rest.substr(0, masks));
  const auto uid = Uid::parse(text);
  if (!uid) return error_response(400, "bad_uid", "not a UID: \"" + log::escape(text, 80) + "\"");
  if (masks == std::string_view::npos) return result(node, *uid);
  return mask(node, *uid, rest.substr(masks + kMasks.size()));
}

}  // namespace dr::admin
