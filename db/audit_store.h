#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "db/rows.h"
#include "db/tables.h"
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

/// How many objects are in a state at a destination.
struct StateCount {
  std::string destination, state;
  std::uint64_t objects = 0;
};

/// One audit database: SQLite, PostgreSQL or MySQL. Owned by one thread.
class AuditStore {
 public:
  virtual ~AuditStore() = default;
  /// Writes all rows in one transaction, durable when it returns; a row that is there already
  /// changes nothing. Text is cleaned first: NUL, invalid UTF-8, length (row_text.h). On an error
  /// nothing is written: kInvalid when the database refuses one of the rows for what it holds,
  /// anything else when it is busy, full, damaged or away.
  virtual Result<void> write(std::span<const Row> rows) { return put(records_by_kind(rows)); }
  /// The same with rows that are clean, and none of them twice: as read() gives them.
  virtual Result<void> put(const Records& records) = 0;
  /// Objects whose SOP Instance, Series or Study Instance UID is `uid`, oldest first, at most
  /// `limit`.
  virtual Result<std::vector<TracedObject>> trace(const std::string& uid, std::size_t limit) = 0;
  /// Every journal that rows are of, and how far they reach. Reads all keys.
  virtual Result<std::vector<Extent>> extents() = 0;
  /// All rows within `extent`, in no order, all of one moment.
  virtual Result<Records> read(const Extent& extent) = 0;
  /// Of the objects within `extent` that were received from `from` on and before `until`.
  virtual Result<std::vector<StateCount>> state_counts(const Extent& /*extent*/, UtcMicros /*from*/,
                                                       UtcMicros /*until*/) {
    return Error{Errc::kUnsupported, "this sink keeps no states"};
  }
  /// Every patient_key that some object has.
  virtual Result<std::vector<std::string>> patient_keys() = 0;
  /// What objects received until then tell of a patient goes, in one transaction: patient_key, UIDs
  /// and digest, and all results of their extraction; their state is "forgotten". How many.
  virtual Result<std::uint64_t> forget(const std::string& patient_key, UtcMicros until) = 0;
  /// Results within `extent` whose object is forgotten go: they came after it was.
  virtual Result<void> forget_results(const Extent& extent) = 0;
  /// Removes all rows within `extent` that are older, each by its own time and a decision by its
  /// object's, in one transaction. How many.
  virtual Result<std::uint64_t> prune(const Extent& extent, UtcMicros before) = 0;
  /// The operator_action rows with this action, in no order.
  virtual Result<std::vector<Record>> actions(const std::string& action) = 0;
};

/// Opens or creates the file (0600) and applies the migrations that are missing. kUnsupported: its
/// schema is newer than this program; it is left as it is. Blocking.
Result<std::unique_ptr<AuditStore>> open_sqlite(const std::string& path);

/// Where a database server is, and as whom to speak to it.
struct ServerSettings {
  /// postgresql://USER@HOST[:PORT]/DATABASE[?sslmode=…&sslrootcert=…], as libpq has it, or
  /// mysql://USER@HOST[:PORT]/DATABASE[?ssl-mode=…&ssl-ca=…&ssl-cert=…&ssl-key=…].
  std::string url;
  std::string password;  // empty: the one in the URL, if any
  /// A server that lets a statement wait longer is given up: kIo. Whole seconds in MySQL.
  std::chrono::milliseconds reply{15'000};
};

/// What is wrong with a URL, without connecting: kInvalid, without its password.
Result<void> check_postgresql_url(const std::string& url);
Result<void> check_mysql_url(const std::string& url);

/// Connects and applies the migrations that are missing, under a lock that other nodes heed; with
/// none missing it needs no right to create. kUnsupported: its schema is newer than this program.
/// Blocking.
Result<std::unique_ptr<AuditStore>> open_postgresql(const ServerSettings& settings);
Result<std::unique_ptr<AuditStore>> open_mysql(const ServerSettings& settings);

}  // namespace dr::db
