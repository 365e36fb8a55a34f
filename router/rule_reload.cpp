#include "router/rule_reload.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "dimse/base/log.h"
#include "router/admin/trace_json.h"

namespace dr {
namespace {

using rules::RuleFileInfo;

constexpr std::size_t kMostFiles = 10;  // named in one record

const RuleFileInfo* find(const std::vector<RuleFileInfo>& files, const std::string& name) {
  const auto at = std::ranges::find(files, name, &RuleFileInfo::name);
  return at == files.end() ? nullptr : &*at;
}

/// "10-ct.toml=<sha256> uid=1000, 20-old.toml removed": what is not as it was.
std::string difference(const std::vector<RuleFileInfo>& before,
                       const std::vector<RuleFileInfo>& after) {
  std::vector<std::string> parts;
  for (const RuleFileInfo& file : after) {
    const RuleFileInfo* const old = find(before, file.name);
    if (old != nullptr && old->sha256 == file.sha256) continue;
    parts.push_back(file.name + "=" + file.sha256 + " uid=" + std::to_string(file.owner));
  }
  for (const RuleFileInfo& file : before) {
    if (find(after, file.name) == nullptr) parts.push_back(file.name + " removed");
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(parts.size(), kMostFiles); ++i) text += "; " + parts[i];
  if (parts.size() > kMostFiles) {
    text += "; and " + std::to_string(parts.size() - kMostFiles) + " files more";
  }
  return text;
}

}  // namespace

RuleReload::RuleReload(CurrentRules& current, std::filesystem::path folder, rules::Site site,
                       admin::Metrics& metrics, const Clock& clock)
    : current_(current),
      folder_(std::move(folder)),
      site_(std::move(site)),
      metrics_(metrics),
      clock_(clock),
      seen_(current.load()->files()),
      loaded_(clock.now_utc()) {}

void RuleReload::asked(const std::string& who, journal::Journal& journal) {
  reload(who, false, journal);
}

void RuleReload::folder_changed(journal::Journal& journal) { reload("folder", true, journal); }

void RuleReload::reload(const std::string& who, bool only_news, journal::Journal& journal) {
  const std::scoped_lock lock(mutex_);
  auto loaded = rules::RuleSet::load(folder_.string(), site_);
  if (only_news && loaded.files == seen_ && good_ == (loaded.rules != nullptr)) return;
  const auto before = current_.load();
  good_ = loaded.rules != nullptr;
  seen_ = std::move(loaded.files);
  findings_.clear();
  for (const rules::Diagnostic& diagnostic : loaded.diagnostics) {
    findings_.push_back(diagnostic.to_string());
    log::event(good_ ? log::Level::kWarning : log::Level::kError, "rules.diagnostic",
               {{"message", findings_.back()}});
  }
  const UtcMicros now = clock_.now_utc();
  if (good_) {
    current_.store(loaded.rules);
    loaded_ = now;
  }
  metrics_.rules_reloaded(good_, now);
  log::event(good_ ? log::Level::kInfo : log::Level::kError,
             good_ ? "rules.reloaded" : "rules.rejected",
             {{"who", who},
              {"rules", current_.load()->rules().size()},
              {"sha256", current_.load()->sha256()}});
  journal::OperatorRecord record;
  record.time = now;
  record.who = who;
  record.action = "reload";
  record.target = "rules";
  record.detail = (good_ ? "sha256=" + loaded.rules->sha256() : "refused: nothing changed") +
                  difference(before->files(), seen_);
  if (const auto appended = journal.append(record); !appended) {
    log::event(log::Level::kError, "audit.lost", {{"error", appended.error().to_string()}});
  }
}

nlohmann::json RuleReload::status() const {
  const std::scoped_lock lock(mutex_);
  const auto rules = current_.load();
  return {{"count", rules->rules().size()},
          {"sha256", rules->sha256()},
          {"loaded", admin::utc_text(loaded_)},
          {"good", good_},
          {"findings", findings_}};
}

}  // namespace dr
