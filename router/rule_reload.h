#pragma once

#include <filesystem>
#include <mutex>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "dimse/base/clock.h"
#include "router/admin/metrics.h"
#include "router/intake.h"
#include "router/journal/journal.h"

namespace dr {

/// Puts another rule set in the place of the one in force: read and validated whole, then swapped
/// between two objects (each is scanned and decided by the set that it began with). What does not
/// validate changes nothing. Either way a log line with each finding's place, the metric
/// `rules_reload_success`, and an operator's record with who and the digests of the files. Any
/// thread.
class RuleReload {
 public:
  RuleReload(CurrentRules& current, std::filesystem::path folder, rules::Site site,
             admin::Metrics& metrics, const Clock& clock);

  /// Reads the folder again because `who` asked.
  void asked(const std::string& who, journal::Journal& journal);
  /// Because something in the folder has changed: files that say what is in force, or what was
  /// refused already, are passed over.
  void folder_changed(journal::Journal& journal);
  /// {"count", "sha256", "loaded", "good", "findings"}: what is in force, and what the last reload
  /// came to.
  nlohmann::json status() const;

 private:
  void reload(const std::string& who, bool only_news, journal::Journal& journal);

  CurrentRules& current_;
  const std::filesystem::path folder_;
  const rules::Site site_;
  admin::Metrics& metrics_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // one at a time; of what follows
  std::vector<rules::RuleFileInfo> seen_;
  std::vector<std::string> findings_;
  bool good_ = true;
  UtcMicros loaded_;
};

}  // namespace dr
