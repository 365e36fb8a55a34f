#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "db/rows.h"
#include "dimse/base/result.h"

namespace dr::db {

/// One object's life as the audit tables tell it (`dicom-router trace`).
struct TracedObject {
  InstanceRow instance;
  std::string sha256;
  std::vector<DecisionRow> decisions;
  std::vector<DeliveryRow> deliveries;
  std::vector<InstanceStateRow> states;
};

/// One audit database: SQLite, PostgreSQL or MySQL. Owned by one thread.
class AuditStore {
 public:
  virtual ~AuditStore() = default;
  /// Writes all rows in one transaction; a row that is there already changes nothing. What the
  /// database itself refuses in a row is cleaned first (NUL, invalid UTF-8). On an error nothing is
  /// written.
  virtual Result<void> write(std::span<const Row> rows) = 0;
  /// Objects whose SOP Instance, Series or Study Instance UID is `uid`, oldest first, at most
  /// `limit`.
  virtual Result<std::vector<TracedObject>> trace(const std::string& uid, std::size_t limit) = 0;
};

/// Opens or creates the file and applies the migrations that are missing.
Result<std::unique_ptr<AuditStore>> open_sqlite(const std::string& path);

}  // namespace dr::db
