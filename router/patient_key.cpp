#include "router/patient_key.h"

#include <array>
#include <span>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "dimse/base/bytes.h"
#include "dimse/base/log.h"

namespace dr {

std::string PatientKey::of(std::string_view patient_id) const {
  if (patient_id.empty() || keep_ == PatientData::kNone) return {};
  if (keep_ == PatientData::kFull) return log::escape(patient_id, 64);
  if (key_.empty()) return {};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(patient_id.data()), patient_id.size(),
           digest.data(), &length) == nullptr) {
    throw std::runtime_error("HMAC-SHA-256 is not available");
  }
  return to_hex(std::as_bytes(std::span(digest).first(length)));
}

}  // namespace dr
