#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/bytes.h"
#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr::test {

/// A real Orthanc (Debian's package) without plugins, on free ports and in a temporary folder. It
/// takes every transfer syntax and SOP class that it knows, overwrites instances that it has, and
/// answers HTTP without a password. Its AE title is ORTHANC.
class Orthanc {
 public:
  /// Starts, and returns when it answers HTTP (about a second). `more_json` is members for its
  /// configuration, e.g. `"StableAge": 1`. Throws if Orthanc is not installed or does not start.
  explicit Orthanc(std::string_view more_json = {});

  std::uint16_t dicom_port() const { return dicom_port_; }
  std::uint16_t http_port() const { return http_port_; }

  /// The body of a 2xx answer; nothing for any other. Throws if Orthanc cannot be reached.
  std::optional<std::string> get(std::string_view path) const;
  std::optional<std::string> post(std::string_view path, std::string_view json) const;

  /// Orthanc's identifiers of all instances that it holds.
  std::vector<std::string> instances() const;
  /// Its identifier of the instance with this SOP Instance UID (POST /tools/find).
  std::optional<std::string> find(std::string_view sop_instance_uid) const;
  /// The instance as a Part 10 file. Throws if there is none.
  Bytes instance_file(std::string_view orthanc_id) const;

  /// Down, and up again with all that it had, on the same ports.
  void stop();
  void start();

  Process& process() { return *process_; }

 private:
  std::uint16_t dicom_port_;
  std::uint16_t http_port_;
  TempDir folder_;
  std::unique_ptr<Process> process_;
};

}  // namespace dr::test
