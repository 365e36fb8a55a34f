#include "router/rules/transform_profile.h"

#include <algorithm>
#include <utility>

namespace dr::rules {
namespace {

struct Word {
  std::string_view word;
  bool ProfileOptions::*option;
};
constexpr Word kWords[] = {
    {"safe-private", &ProfileOptions::safe_private},
    {"descriptors", &ProfileOptions::clean_descriptors},
    {"longitudinal-full-dates", &ProfileOptions::full_dates},
    {"longitudinal-modified-dates", &ProfileOptions::modified_dates},
    {"patient-characteristics", &ProfileOptions::patient_characteristics},
    {"device-identity", &ProfileOptions::device_identity},
    {"uids", &ProfileOptions::uids},
    {"institution-identity", &ProfileOptions::institution_identity},
};

/// A column of ProfileRow::columns and the option that it is for, those that decide first first.
constexpr std::pair<std::size_t, bool ProfileOptions::*> kColumns[] = {
    {4, &ProfileOptions::full_dates},
    {5, &ProfileOptions::modified_dates},
    {0, &ProfileOptions::device_identity},
    {1, &ProfileOptions::institution_identity},
    {2, &ProfileOptions::uids},
    {3, &ProfileOptions::patient_characteristics},
    {6, &ProfileOptions::clean_descriptors}};
constexpr std::size_t kModifiedDates = 5;

/// Where the action of the table would make an object illegal: an attribute that some IOD requires
/// stays without its value, or with a dummy, and so says as little.
struct Exception {
  encoding::Tag tag;
  ProfileAction action;
};
constexpr Exception kExceptions[] = {
    {{0x0008, 0x1110}, ProfileAction::kRemove},  // Referenced Study Sequence: Type 3 with 1-n items
    {{0x0010, 0x2297}, ProfileAction::kEmpty},   // Responsible Person: Type 2C for animals
    {{0x0010, 0x2299}, ProfileAction::kEmpty},   // Responsible Organization: likewise
    {{0x0040, 0x100a}, ProfileAction::kEmpty},   // Reason for Requested Procedure Code: hanging
                                                 // protocols, Type 2
    {{0x0070, 0x0082}, ProfileAction::kDummy},   // Presentation Creation Date: Type 1
    {{0x0070, 0x0083}, ProfileAction::kDummy}};  // and Time

ProfileAction basic_action(std::string_view basic) {
  if (basic == "X") return ProfileAction::kRemove;
  if (basic == "Z" || basic == "X/Z") return ProfileAction::kEmpty;
  if (basic == "U") return ProfileAction::kUid;
  return ProfileAction::kDummy;
}

}  // namespace

bool* ProfileOptions::find(std::string_view word) {
  const auto* const row = std::ranges::find(kWords, word, &Word::word);
  return row == std::end(kWords) ? nullptr : &(this->*row->option);
}

std::vector<std::string_view> ProfileOptions::words() const {
  std::vector<std::string_view> words;
  for (const Word& each : kWords) {
    if (this->*each.option) words.push_back(each.word);
  }
  return words;
}

std::vector<std::string_view> profile_words() {
  std::vector<std::string_view> words;
  for (const Word& each : kWords) words.push_back(each.word);
  return words;
}

ProfileAction profile_action(encoding::Tag tag, const ProfileOptions& options) {
  const ProfileRow* const row = find_profile_row(tag);
  if (row == nullptr) return ProfileAction::kNone;
  for (const auto& [column, option] : kColumns) {
    if (!(options.*option) || row->columns[column] == '-') continue;
    if (row->columns[column] == 'K') return ProfileAction::kKeep;
    return column == kModifiedDates ? ProfileAction::kShift : ProfileAction::kClean;
  }
  const auto* const exception = std::ranges::find(kExceptions, tag, &Exception::tag);
  if (exception != std::end(kExceptions)) return exception->action;
  return basic_action(row->basic);
}

}  // namespace dr::rules
