#include "test/support/orthanc.h"

#include <fstream>
#include <regex>
#include <stdexcept>
#include <utility>

#include <httplib.h>

#include "test/support/port.h"

namespace dr::test {
namespace {

// Debian's place for it, which is not in every user's PATH.
constexpr const char* kOrthanc = "/usr/sbin/Orthanc";

httplib::Client client_of(std::uint16_t port) {
  httplib::Client client("127.0.0.1", port);
  client.set_read_timeout(60);
  return client;
}

std::optional<std::string> body_of(const httplib::Result& result, std::string_view path) {
  if (!result) {
    throw std::runtime_error("Orthanc " + std::string(path) + ": " +
                             httplib::to_string(result.error()));
  }
  if (result->status / 100 != 2) return std::nullopt;
  return result->body;
}

// Orthanc's lists of identifiers are JSON arrays of strings that hold only hex digits and dashes.
std::vector<std::string> strings_of(const std::string& json) {
  static const std::regex kString("\"([0-9a-f-]+)\"");
  std::vector<std::string> found;
  for (std::sregex_iterator it(json.begin(), json.end(), kString), end; it != end; ++it) {
    found.push_back((*it)[1]);
  }
  return found;
}

}  // namespace

Orthanc::Orthanc(std::string_view more_json) : dicom_port_(free_port()), http_port_(free_port()) {
  std::ofstream out(folder_ / "orthanc.json");
  out << R"({"Name": "test", "DicomAet": "ORTHANC", "DicomPort": )" << dicom_port_
      << R"(, "HttpPort": )" << http_port_ << R"(, "StorageDirectory": ")"
      << (folder_ / "storage").string() << R"(", "IndexDirectory": ")"
      << (folder_ / "storage").string() << R"(", "Plugins": [], "RemoteAccessAllowed": false,
  "AuthenticationEnabled": false, "DicomAlwaysAllowStore": true, "DicomAlwaysAllowEcho": true,
  "UnknownSopClassAccepted": true, "OverwriteInstances": true)";
  if (!more_json.empty()) out << ",\n  " << more_json;
  out << "}\n";
  out.close();
  start();
}

void Orthanc::start() {
  process_ = std::make_unique<Process>(
      Command{{kOrthanc, folder_ / "orthanc.json"}, {"TCP_NODELAY=1"}, {}, folder_ / "log", {}});
  wait_until_ready(*process_, [this] {
    if (!is_listening(http_port_) || !is_listening(dicom_port_)) return false;
    auto client = client_of(http_port_);
    const auto answer = client.Get("/system");
    return answer && (answer->status == 200 || answer->status == 401);  // perhaps with users
  });
}

void Orthanc::stop() { process_->stop(std::chrono::seconds(30)); }

std::optional<std::string> Orthanc::get(std::string_view path) const {
  auto client = client_of(http_port_);
  return body_of(client.Get(std::string(path).c_str()), path);
}

std::optional<std::string> Orthanc::post(std::string_view path, std::string_view json) const {
  auto client = client_of(http_port_);
  return body_of(client.Post(std::string(path).c_str(), std::string(json), "application/json"),
                 path);
}

std::vector<std::string> Orthanc::instances() const {
  return strings_of(get("/instances").value_or(""));
}

std::optional<std::string> Orthanc::find(std::string_view sop_instance_uid) const {
  const auto found = post("/tools/find", R"({"Level": "Instance", "Query": {"SOPInstanceUID": ")" +
                                             std::string(sop_instance_uid) + R"("}})");
  const auto ids = strings_of(found.value_or(""));
  if (ids.empty()) return std::nullopt;
  return ids.front();
}

Bytes Orthanc::instance_file(std::string_view orthanc_id) const {
  const std::string path = "/instances/" + std::string(orthanc_id) + "/file";
  const auto body = get(path);
  if (!body) throw std::runtime_error("Orthanc has no " + path);
  const auto octets = as_bytes(*body);
  return {octets.begin(), octets.end()};
}

}  // namespace dr::test
