#include "router/audit/forget.h"

namespace dr::audit {

std::string forget_target(const Sealer& sealer, const std::string& patient_key) {
  return sealer.mac("forget " + patient_key);
}

bool forgets(const Sealer& sealer, const std::string& action, const std::string& target,
             const std::string& patient_key) {
  return sealer.has_key() && !patient_key.empty() && action == kForget &&
         target == forget_target(sealer, patient_key);
}

Result<journal::OperatorRecord> forget_record(const Sealer& sealer, const std::string& patient_key,
                                              const std::string& who, UtcMicros now) {
  if (!sealer.has_key()) return Error{Errc::kUnsupported, "to forget a patient needs [keys] audit"};
  if (patient_key.empty()) {
    return Error{Errc::kUnsupported, "[audit] patient_data keeps nothing of patients"};
  }
  journal::OperatorRecord record;
  record.time = now;
  record.who = who;
  record.action = kForget;
  record.target = forget_target(sealer, patient_key);
  record.detail = "a patient, in every audit database";
  return record;
}

Result<std::uint64_t> forget_patient(db::AuditStore& store, const Sealer& sealer,
                                     const db::OperatorActionRow& action) {
  std::uint64_t objects = 0;
  const auto keys = store.patient_keys();
  if (!keys) return keys.error();
  for (const std::string& key : *keys) {
    if (!forgets(sealer, action.action, action.target, key)) continue;
    const auto forgotten = store.forget(key, action.time);
    if (!forgotten) return forgotten.error();
    objects += *forgotten;
  }
  return objects;
}

}  // namespace dr::audit
