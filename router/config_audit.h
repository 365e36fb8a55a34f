#pragma once

#include <chrono>
#include <filesystem>

#include "router/audit/syslog_transport.h"
#include "router/rules/toml_reader.h"

namespace dr {

/// [audit.syslog]; its files are relative to `folder`.
audit::SyslogSettings read_syslog(const toml::table& table, const std::filesystem::path& folder,
                                  rules::Findings& findings);

/// [retention] audit; 0: for ever.
std::chrono::milliseconds read_audit_retention(rules::TableReader& retention);

}  // namespace dr
