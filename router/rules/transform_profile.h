#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/encoding/tag.h"

namespace dr::rules {

/// Options of the Basic Application Level Confidentiality Profile (PS3.15 E.3).
struct ProfileOptions {
  bool safe_private = false;
  bool device_identity = false;
  bool institution_identity = false;
  bool uids = false;
  bool full_dates = false;
  bool modified_dates = false;
  bool patient_characteristics = false;
  bool clean_descriptors = false;

  /// By the words of `keep` and `clean`: "longitudinal-full-dates", …; nullptr for others.
  bool* find(std::string_view word);
  /// In the order of PS3.15; those that are on.
  std::vector<std::string_view> words() const;
};
/// The words that `keep` and `clean` know.
std::vector<std::string_view> profile_words();

/// What PS3.15 table E.1-1 asks of an attribute.
enum class ProfileAction : std::uint8_t {
  kNone,    // it is not in the table
  kRemove,  // X
  kEmpty,   // Z
  kDummy,   // D
  kUid,     // U
  kKeep,    // K
  kClean,   // C
  kShift,   // C of a date under modified dates
};

/// The action for one attribute of even group under these options. Where the table leaves a choice
/// to the attribute's type in its IOD (X/Z, X/D, Z/D, X/Z/D), the one that is legal for every type.
ProfileAction profile_action(encoding::Tag tag, const ProfileOptions& options);

/// A row, for tests and documentation: the columns of the table as the standard has them.
struct ProfileRow {
  std::uint32_t first = 0;   // gggg << 16 | eeee
  std::uint32_t mask = 0;    // bits that count
  const char* basic = "";    // "X", "Z/D", …
  const char* columns = "";  // seven of K, C or "-": device, institution, UIDs, patient, full
                             // dates, modified dates, descriptors
};
const ProfileRow* find_profile_row(encoding::Tag tag);
std::vector<ProfileRow> profile_rows();

}  // namespace dr::rules
