#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "db/audit_store.h"
#include "dimse/service/listener.h"
#include "router/access.h"
#include "router/admin/explain.h"
#include "router/admin/settings.h"
#include "router/delivery/settings.h"
#include "router/journal/scrubber.h"
#include "router/patient_key.h"
#include "router/replay/snapshot_feed.h"
#include "router/rules/rule_set.h"

namespace dr {

/// What one configuration file says, with the defaults of the interface description filled in and
/// all paths absolute.
struct Config {
  std::string node = "router-1";
  AeTitle ae_title;
  std::filesystem::path spool;
  std::filesystem::path rules;
  rules::TimeZone zone;  // [node] timezone

  std::uint64_t memory = 1ULL << 30;        // objects in flight
  std::uint64_t disk_reserve = 2ULL << 30;  // below this much free disk: A700H
  journal::ScrubOptions scrub;              // a rate of 0: never
  AccessSettings access;
  std::vector<service::ListenerConfig> listeners;
  std::vector<delivery::DestinationSettings> destinations;

  PatientData patient_data = PatientData::kKeyedHash;
  std::string audit_key;
  std::string pseudonym_key;
  std::optional<std::filesystem::path> sqlite;  // [audit.sqlite] path
  std::optional<db::ServerSettings> postgresql, mysql;
  std::optional<replay::SnapshotSettings> snapshots = replay::SnapshotSettings{};
  admin::Settings admin;

  /// What a rule's route may name.
  std::set<std::string> targets() const;
  /// What rules refer to.
  rules::Site site() const;
};

/// Who an object that nobody sends is said to come from: called is this node, the listener is its
/// first, received is now.
admin::Sender unnamed_sender(const Config& config, const Clock& clock);

struct LoadedConfig {
  std::optional<Config> config;                // absent when any diagnostic is an error
  std::optional<Config> understood;            // as far as it can be read; absent: not at all
  std::vector<rules::Diagnostic> diagnostics;  // every error and warning, in the file's order
};

/// Reads conf/router.toml. Unknown keys are errors, and so are known ones whose feature this
/// version does not have: never ignored.
LoadedConfig load_config(const std::filesystem::path& file);

}  // namespace dr
