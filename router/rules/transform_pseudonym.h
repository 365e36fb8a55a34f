#pragma once

#include <string>
#include <string_view>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"

namespace dr::rules {

/// Pseudonyms under `[keys] pseudonym`: the same input always becomes the same output, and who has
/// not the key can neither compute nor undo it (HMAC-SHA-256, a different use of the key for each
/// kind). One key, one world: a site that keeps its key keeps its pseudonyms.
class Pseudonymizer {
 public:
  explicit Pseudonymizer(std::string key) : key_(std::move(key)) {}

  bool has_key() const noexcept { return !key_.empty(); }
  /// 16 hexadecimal digits, so that it fits every text VR but CS with its own rules; "" for "".
  std::string hash(std::string_view text) const;
  /// A UID of the form 2.25.n (PS3.5 B.2): n is a UUID of version 8 (RFC 9562) made of the digest.
  std::string uid(std::string_view original) const;
  /// By how many days the dates of this patient go back: 1 to 3650.
  int days(std::string_view patient) const;
  /// `text` so that only the key reads it again: AES-256-GCM, hexadecimal. Equal
  /// texts become equal, so that what was kept is known again.
  Result<std::string> seal(std::string_view text) const;
  /// What was sealed. kCorrupt: another key, or not what seal() gave.
  Result<std::string> unseal(std::string_view sealed) const;

 private:
  Bytes digest(std::string_view use, std::string_view text) const;

  std::string key_;
};

/// A date (DA), or a date and time (DT), `days` earlier; empty where `text` names no day. What
/// follows the day stays as it is.
std::string shift_date(std::string_view text, int days);

}  // namespace dr::rules
