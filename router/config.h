#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "db/audit_store.h"
#include "dimse/service/listener.h"
#include "router/access.h"
#include "router/admin/explain.h"
#include "router/admin/settings.h"
#include "router/audit/syslog_transport.h"
#include "router/delivery/settings.h"
#include "router/delivery/transformer.h"
#include "router/extraction/extractor.h"
#include "router/extraction/webhook.h"
#include "router/journal/scrubber.h"
#include "router/patient_key.h"
#include "router/replay/snapshot_feed.h"
#include "router/rules/rule_set.h"
#include "router/rules/transform_job.h"

namespace dr {

/// What one configuration file says, with the defaults of the interface description filled in and
/// all paths absolute.
struct Config {
  std::string node = "router-1";
  AeTitle ae_title;
  std::filesystem::path spool;
  std::filesystem::path rules;
  rules::TimeZone zone;  // [node] timezone

  std::uint64_t memory = 1ULL << 30;                   // objects in flight
  std::uint64_t disk_reserve = 2ULL << 30;             // below this much free disk: A700H
  std::uint64_t most_inflated = rules::kMostInflated;  // a deflated data set in a transform
  journal::ScrubOptions scrub;                         // a rate of 0: never
  AccessSettings access;
  std::vector<service::ListenerConfig> listeners;
  std::vector<delivery::DestinationSettings> destinations;

  PatientData patient_data = PatientData::kKeyedHash;
  std::string audit_key;
  std::string pseudonym_key;
  std::optional<std::filesystem::path> sqlite;  // [audit.sqlite] path
  std::optional<db::ServerSettings> postgresql, mysql;
  std::optional<audit::SyslogSettings> syslog;
  std::chrono::milliseconds audit_retention{0};  // [retention] audit; 0: for ever
  std::optional<replay::SnapshotSettings> snapshots = replay::SnapshotSettings{};
  extraction::Settings extraction;  // without spool and node
  std::optional<extraction::WebhookSettings> webhook;
  admin::Settings admin;

  /// What a rule's route may name.
  std::set<std::string> targets() const;
  /// What rules refer to.
  rules::Site site() const;
  /// Of workers that transform objects; temporary files are in the spool.
  delivery::TransformerSettings transforms() const;
};

/// Who an object that nobody sends is said to come from: called is this node, the listener is its
/// first, received is now; as far as `query` says nothing else (admin::with_query).
Result<admin::Sender> sender_of(const Config& config, const Clock& clock,
                                const std::map<std::string, std::string>& query);

struct LoadedConfig {
  std::optional<Config> config;                // absent when any diagnostic is an error
  std::optional<Config> understood;            // as far as it can be read; absent: not at all
  std::vector<rules::Diagnostic> diagnostics;  // every error and warning, in the file's order
};

/// Reads conf/router.toml. Unknown keys are errors, and so are known ones whose feature this
/// version does not have: never ignored.
LoadedConfig load_config(const std::filesystem::path& file);

}  // namespace dr
