#include "router/audit/syslog_store.h"

namespace dr::audit {
namespace {

Error keeps_nothing() { return {Errc::kUnsupported, "syslog: what was sent can not be asked for"}; }

/// A field of the header: PRINTUSASCII, "-" for none (RFC 5424, 6).
std::string field(std::string text, std::size_t most) {
  for (char& c : text) {
    if (c < 33 || c > 126) c = '_';
  }
  if (text.size() > most) text.resize(most);
  return text.empty() ? "-" : text;
}

}  // namespace

std::string syslog_message(const std::string& host, const std::string& msgid, UtcMicros time,
                           const std::string& xml) {
  return "<85>1 " + atna::utc_text(time) + ' ' + field(host, 255) + " dicom-router - " +
         field(msgid, 32) + " - " + xml;
}

Result<void> SyslogStore::write(std::span<const db::Row> rows) {
  std::vector<std::string> texts;
  for (const atna::Message& message : atna::messages_of(rows, site_)) {
    texts.push_back(syslog_message(site_.host, msgid_, message.time, atna::to_xml(message)));
  }
  return texts.empty() ? Result<void>{} : transport_->send(texts);
}

Result<void> SyslogStore::put(const db::Records& /*records*/) { return keeps_nothing(); }
Result<std::vector<db::TracedObject>> SyslogStore::trace(const std::string& /*uid*/,
                                                         std::size_t /*limit*/) {
  return keeps_nothing();
}
Result<std::vector<db::Extent>> SyslogStore::extents() { return std::vector<db::Extent>{}; }
Result<db::Records> SyslogStore::read(const db::Extent& /*extent*/) { return keeps_nothing(); }
Result<std::vector<std::string>> SyslogStore::patient_keys() {
  return std::vector<std::string>{};  // what was sent is the repository's to forget
}
Result<std::uint64_t> SyslogStore::forget(const std::string& /*patient_key*/, UtcMicros /*until*/) {
  return std::uint64_t{0};
}
Result<void> SyslogStore::forget_results(const db::Extent& /*extent*/) { return {}; }
Result<std::uint64_t> SyslogStore::prune(const db::Extent& /*extent*/, UtcMicros /*before*/) {
  return std::uint64_t{0};
}
Result<std::vector<db::Record>> SyslogStore::actions(const std::string& /*action*/) {
  return keeps_nothing();
}

}  // namespace dr::audit
