#include "router/config_audit.h"

#include <algorithm>
#include <fstream>

#include "router/rules/units.h"

namespace dr {
namespace {

void read_file_name(rules::TableReader& table, const char* key, const std::filesystem::path& folder,
                    std::string& into) {
  table.read(key, into);
  if (into.empty()) return;
  into = (folder / into).lexically_normal().string();
  if (!std::ifstream(into)) table.error(key, into + " can not be read");
}

}  // namespace

audit::SyslogSettings read_syslog(const toml::table& table, const std::filesystem::path& folder,
                                  rules::Findings& findings) {
  rules::TableReader reader(table, "[audit.syslog]", findings);
  audit::SyslogSettings settings;
  if (reader.require("url", settings.url)) {
    const auto url = audit::parse_syslog_url(settings.url);
    if (!url) reader.error("url", url.error().detail);
    for (const char* const key : {"ca", "certificate", "key"}) {
      if (url && !url->tls && reader.has(key)) reader.error(key, "udp:// knows no certificates");
    }
  }
  reader.read("msgid", settings.msgid);
  constexpr std::size_t kMostMsgid = 32;  // RFC 5424, 6
  const bool printable =
      std::ranges::all_of(settings.msgid, [](char c) { return c > ' ' && c <= '~'; });
  if (settings.msgid.empty() || settings.msgid.size() > kMostMsgid || !printable) {
    reader.error("msgid", "expected 1 to 32 printable ASCII characters without spaces");
  }
  read_file_name(reader, "ca", folder, settings.ca);
  read_file_name(reader, "certificate", folder, settings.certificate);
  read_file_name(reader, "key", folder, settings.key);
  if (settings.certificate.empty() != settings.key.empty()) {
    reader.error(settings.key.empty() ? "certificate" : "key",
                 "'certificate' and 'key' come together");
  }
  reader.finish();
  return settings;
}

std::chrono::milliseconds read_audit_retention(rules::TableReader& retention) {
  std::string keep_for = "never";
  retention.read("audit", keep_for);
  if (keep_for == "never") return std::chrono::milliseconds(0);
  const auto duration = rules::parse_duration(keep_for);
  if (duration && *duration >= std::chrono::hours(24)) return *duration;
  retention.error("audit",
                  "'audit': expected a duration of a day or more, such as \"3650d\", or \"never\" "
                  "(to remove any)");
  return std::chrono::milliseconds(0);
}

}  // namespace dr
