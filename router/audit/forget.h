#pragma once

#include <cstdint>
#include <string>

#include "db/audit_store.h"
#include "router/audit/seal.h"
#include "router/journal/records.h"

namespace dr::audit {

/// The operator's action that makes every database forget a patient.
inline constexpr const char* kForget = "forget";

/// How such a record names the patient whose rows hold `patient_key`: by an HMAC, from which nobody
/// comes back to it. Empty without a key.
std::string forget_target(const Sealer& sealer, const std::string& patient_key);

/// Whether an operator's action lets the patient of this key be forgotten. Never without a key.
bool forgets(const Sealer& sealer, const std::string& action, const std::string& target,
             const std::string& patient_key);

/// The record that makes every feed carry it out. kUnsupported: without a key, or where nothing of
/// patients is kept.
Result<journal::OperatorRecord> forget_record(const Sealer& sealer, const std::string& patient_key,
                                              const std::string& who, UtcMicros now);

/// Carries one out: of every object of that patient received until then, the patient's key, the
/// UIDs and the digest go, and its state is "forgotten"; its seal stays, so that the chain of its
/// day holds. How many objects.
Result<std::uint64_t> forget_patient(db::AuditStore& store, const Sealer& sealer,
                                     const db::OperatorActionRow& action);

}  // namespace dr::audit
