#pragma once

#include <string>
#include <string_view>

namespace dr {

/// [audit] patient_data and [snapshots] patient_data.
enum class PatientData { kNone, kKeyedHash, kFull };

/// What audit rows and journal records keep of a Patient ID: nothing, its HMAC-SHA-256 under [keys]
/// audit (64 hexadecimal digits), or itself.
class PatientKey {
 public:
  PatientKey(PatientData keep, std::string key) : keep_(keep), key_(std::move(key)) {}

  /// "" for an absent Patient ID, for kNone, and for kKeyedHash without a key.
  std::string of(std::string_view patient_id) const;

 private:
  PatientData keep_;
  std::string key_;
};

}  // namespace dr
