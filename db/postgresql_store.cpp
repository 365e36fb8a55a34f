#include <array>
#include <memory>
#include <string>
#include <utility>

#include <libpq-fe.h>
#include <pqxx/pqxx>

#include "db/audit_store.h"
#include "db/postgresql_sql.h"
#include "db/reply_deadline.h"
#include "db/tables.h"

namespace dr::db {
namespace postgresql {
namespace {

/// What libpqxx threw, as AuditStore::write() promises it. Where the server complains of a value
/// its message may hold it: then only the SQLSTATE is told.
Error mapped(const pqxx::sql_error& e) {
  const std::string& state = e.sqlstate();
  const std::string_view kind = std::string_view(state).substr(0, 2);
  const std::string where = "postgresql " + (state.empty() ? std::string("error") : state);
  // Data exceptions, broken constraints, index rows that are too long, what a trigger raises.
  if (kind == "22" || kind == "23" || kind == "54" || kind == "P0") {
    return {Errc::kInvalid, where};
  }
  const std::string text = e.what();
  const std::string detail = where + ": " + text.substr(0, text.find('\n'));
  if (kind == "53") return {Errc::kNoSpace, detail};
  if (kind == "40" || kind == "55") return {Errc::kConflict, detail};
  return {Errc::kIo, detail};
}

Error lost(const std::exception& e) {
  const std::string text = e.what();
  return {Errc::kIo, "postgresql: " + text.substr(0, text.find('\n'))};
}

/// Runs `work`; what libpqxx throws becomes an Error.
template <class F>
auto guarded(F&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const pqxx::sql_error& e) {
    return mapped(e);
  } catch (const pqxx::failure& e) {  // connection lost, or a commit whose end nobody knows
    return lost(e);
  }
}

/// One parameter: the cells of one column as an array literal.
std::string array_of(const std::vector<Record>& records, std::size_t column) {
  std::string array = "{";
  for (const Record& record : records) {
    if (array.size() > 1) array += ',';
    const Cell& cell = record[column];
    if (const auto* text = std::get_if<std::string>(&cell)) {
      array += '"';
      for (const char c : *text) {
        if (c == '"' || c == '\\') array += '\\';
        array += c;
      }
      array += '"';
    } else if (const auto* number = std::get_if<std::int64_t>(&cell)) {
      array += std::to_string(*number);
    } else if (const auto* real = std::get_if<double>(&cell)) {
      array += text_of(*real);
    } else {
      array += "NULL";
    }
  }
  return array + "}";
}

/// Takes the columns of a result row from left to right.
class Columns {
 public:
  explicit Columns(pqxx::row row) : row_(std::move(row)) {}
  std::string text() {
    const pqxx::field field = next();
    return {field.c_str(), field.size()};
  }
  std::uint64_t number() { return static_cast<std::uint64_t>(next().as<std::int64_t>()); }
  std::uint32_t small() { return static_cast<std::uint32_t>(number()); }
  UtcMicros time() { return from_micros(next().as<std::int64_t>()); }
  Cell cell(const Column& of) {
    const pqxx::field field = next();
    if (field.is_null()) return {};
    if (of.text) return std::string(field.c_str(), field.size());
    if (of.real) return field.as<double>();
    return field.as<std::int64_t>();
  }
  std::optional<UtcMicros> time_or_null() {
    const pqxx::field field = next();
    if (field.is_null()) return std::nullopt;
    return from_micros(field.as<std::int64_t>());
  }
  std::optional<std::uint32_t> small_or_null() {
    const pqxx::field field = next();
    if (field.is_null()) return std::nullopt;
    return static_cast<std::uint32_t>(field.as<std::int64_t>());
  }

 private:
  pqxx::field next() { return row_[index_++]; }

  pqxx::row row_;
  pqxx::row_size_type index_ = 0;
};

class PostgresqlStore final : public AuditStore {
 public:
  PostgresqlStore(std::unique_ptr<pqxx::connection> connection, std::chrono::milliseconds reply)
      : deadline_(reply), connection_(std::move(connection)) {}

  Result<void> put(const Records& records) override {
    return guarded([&]() -> Result<void> {
      const Armed armed(deadline_, connection_->sock());
      pqxx::work work(*connection_);
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        if (!records.at(kind).empty()) put(work, kind, records.at(kind));
      }
      work.commit();
      return {};
    });
  }

  Result<std::vector<Extent>> extents() override {
    return guarded([&]() -> Result<std::vector<Extent>> {
      // Without a deadline: it reads every key.
      pqxx::work work(*connection_);
      std::vector<Extent> found;
      for (const pqxx::row& row : work.exec(select_extents())) {
        Columns c(row);
        found.push_back({c.text(), c.text(), c.number(), c.number()});
      }
      return merged(std::move(found));
    });
  }

  Result<Records> read(const Extent& extent) override {
    return guarded([&]() -> Result<Records> {
      const Armed armed(deadline_, connection_->sock());
      Snapshot snapshot(*connection_);
      Records records;
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        const auto rows = snapshot.exec_params(
            select_span(kind, {"$1", "$2", "$3", "$4"}), extent.node, extent.spool_id,
            static_cast<std::int64_t>(extent.first), static_cast<std::int64_t>(extent.last));
        for (const pqxx::row& row : rows) {
          records.at(kind).push_back(read_record(Columns(row), tables().at(kind)));
        }
      }
      return records;
    });
  }

  Result<std::vector<StateCount>> state_counts(const Extent& extent, UtcMicros from,
                                               UtcMicros until) override {
    return guarded([&]() -> Result<std::vector<StateCount>> {
      pqxx::work work(*connection_);  // without a deadline: it reads a day
      const auto rows = work.exec_params(
          select_state_counts({"$1", "$2", "$3", "$4", "$5", "$6"}), extent.node, extent.spool_id,
          static_cast<std::int64_t>(extent.first), static_cast<std::int64_t>(extent.last),
          to_micros(from), to_micros(until) - 1);
      std::vector<StateCount> counts;
      for (const pqxx::row& row : rows) {
        Columns c(row);
        counts.push_back({c.text(), c.text(), c.number()});
      }
      return counts;
    });
  }

  Result<std::vector<std::string>> patient_keys() override {
    return guarded([&]() -> Result<std::vector<std::string>> {
      pqxx::work work(*connection_);  // without a deadline: it reads an index
      std::vector<std::string> keys;
      for (const pqxx::row& row : work.exec(kSelectPatientKeys))
        keys.push_back(Columns(row).text());
      return keys;
    });
  }

  Result<std::uint64_t> forget(const std::string& patient_key, UtcMicros until) override {
    return guarded([&]() -> Result<std::uint64_t> {
      const Armed armed(deadline_, connection_->sock());
      pqxx::work work(*connection_);
      const auto changed =
          work.exec_params(update_forget("$1", "$2"), patient_key, std::int64_t{to_micros(until)});
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        const std::string sql = delete_forgotten(kind);
        if (!sql.empty()) work.exec(sql);
      }
      work.commit();
      return std::uint64_t{changed.affected_rows()};
    });
  }

  Result<void> forget_results(const Extent& extent) override {
    return guarded([&]() -> Result<void> {
      const Armed armed(deadline_, connection_->sock());
      pqxx::work work(*connection_);
      static constexpr std::array<std::string_view, 4> kParameters{"$1", "$2", "$3", "$4"};
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        const std::string sql = delete_forgotten(kind, kParameters);
        if (sql.empty()) continue;
        work.exec_params(sql, extent.node, extent.spool_id, static_cast<std::int64_t>(extent.first),
                         static_cast<std::int64_t>(extent.last));
      }
      work.commit();
      return {};
    });
  }

  Result<std::uint64_t> prune(const Extent& extent, UtcMicros before) override {
    return guarded([&]() -> Result<std::uint64_t> {
      const Armed armed(deadline_, connection_->sock());
      pqxx::work work(*connection_);
      std::uint64_t removed = 0;
      for (std::size_t kind = kKinds; kind-- > 0;) {
        const std::string sql = delete_span(kind, {"$1", "$2", "$3", "$4", "$5"});
        if (sql.empty()) continue;
        removed += work.exec_params(sql, extent.node, extent.spool_id,
                                    static_cast<std::int64_t>(extent.first),
                                    static_cast<std::int64_t>(extent.last),
                                    std::int64_t{to_micros(before)})
                       .affected_rows();
      }
      work.commit();
      return removed;
    });
  }

  Result<std::vector<Record>> actions(const std::string& action) override {
    return guarded([&]() -> Result<std::vector<Record>> {
      const Armed armed(deadline_, connection_->sock());
      Snapshot snapshot(*connection_);
      std::vector<Record> found;
      const Table& table = tables().at(Row(OperatorActionRow{}).index());
      for (const pqxx::row& row : snapshot.exec_params(select_actions("$1"), action)) {
        found.push_back(read_record(Columns(row), table));
      }
      return found;
    });
  }

  Result<std::vector<TracedObject>> trace(const std::string& uid, std::size_t limit) override {
    if (uid.empty()) return std::vector<TracedObject>{};
    return guarded([&]() -> Result<std::vector<TracedObject>> {
      const Armed armed(deadline_, connection_->sock());
      // One snapshot: the rows of all four tables are of the same moment.
      Snapshot snapshot(*connection_);
      return trace_with(trace_sql(), [&](const std::string& sql, auto&& each) {
        for (const pqxx::row& row : snapshot.exec_params(sql, uid, limit)) each(Columns(row));
      });
    });
  }

 private:
  using Snapshot = pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>;

  void put(pqxx::work& work, std::size_t kind, const std::vector<Record>& records) {
    std::vector<std::string> arrays;
    for (std::size_t i = 0; i < tables().at(kind).columns.size(); ++i) {
      arrays.push_back(array_of(records, i));
    }
    work.exec_params(inserts_.at(kind), pqxx::prepare::make_dynamic_params(arrays));
  }

  static std::array<std::string, kKinds> make_inserts() {
    std::array<std::string, kKinds> made;
    for (std::size_t kind = 0; kind < kKinds; ++kind) made.at(kind) = insert(tables().at(kind));
    return made;
  }

  const std::array<std::string, kKinds> inserts_ = make_inserts();
  ReplyDeadline deadline_;
  std::unique_ptr<pqxx::connection> connection_;
};

using Settings = std::vector<std::pair<std::string, std::string>>;

/// The URL's parts by libpq's own names.
Result<Settings> parse(const std::string& url) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://")) {
    return Error{Errc::kInvalid, "expected postgresql://USER@HOST/DATABASE"};
  }
  struct Free {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
    void operator()(char* text) const { PQfreemem(text); }
  };
  char* raw_message = nullptr;
  const std::unique_ptr<PQconninfoOption, Free> options(PQconninfoParse(url.c_str(), &raw_message));
  const std::unique_ptr<char, Free> message(raw_message);
  // libpq's message would repeat the URL, and the password with it.
  if (!options) return Error{Errc::kInvalid, "not a URL of PostgreSQL"};
  Settings settings;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) settings.emplace_back(option->keyword, option->val);
  }
  return settings;
}

/// Settings as libpq reads them: name = 'value'.
std::string conninfo(const Settings& settings) {
  std::string text;
  for (const auto& [name, value] : settings) {
    text += name + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += "' ";
  }
  return text;
}

Result<std::uint32_t> schema_version(pqxx::transaction_base& work) {
  if (!work.exec1(kHasMigrations)[0].as<bool>()) return std::uint32_t{0};
  const auto version = work.exec1(kLastMigration)[0].as<std::uint32_t>();
  if (version > latest_version()) {
    return Error{Errc::kUnsupported, "audit schema version=" + std::to_string(version) +
                                         " known=" + std::to_string(latest_version())};
  }
  return version;
}

/// All that is missing, in one transaction: PostgreSQL's schema changes are part of it.
Result<void> migrate(pqxx::connection& connection) {
  pqxx::work work(connection);
  work.exec(kLockMigrations);
  const auto version = schema_version(work);
  if (!version) return version.error();
  work.exec(kCreateMigrationTable);
  for (const Migration& migration : migrations()) {
    if (migration.version <= *version) continue;
    work.exec(in_dialect(migration.sql, kDialect));
    work.exec_params(kRecordMigration, migration.version, std::string(migration.name));
  }
  work.commit();
  return {};
}

/// A schema change may take as long as it needs; everything else has a deadline.
Result<void> prepare(pqxx::connection& connection, std::chrono::milliseconds reply) {
  ReplyDeadline deadline(reply);
  Result<std::uint32_t> version = std::uint32_t{0};
  {
    const Armed armed(deadline, connection.sock());
    pqxx::work work(connection);
    version = schema_version(work);
  }
  if (!version) return std::move(version).error();
  return *version == latest_version() ? Result<void>{} : migrate(connection);
}

}  // namespace
}  // namespace postgresql

Result<void> check_postgresql_url(const std::string& url) {
  const auto parsed = postgresql::parse(url);
  return parsed ? Result<void>{} : parsed.error();
}

Result<std::unique_ptr<AuditStore>> open_postgresql(const ServerSettings& settings) {
  auto options = postgresql::parse(settings.url);
  if (!options) return std::move(options).error();
  // What the URL does not say; libpq takes the last of two.
  postgresql::Settings all{{"connect_timeout", "5"},
                           {"application_name", "dicom-router"},
                           {"keepalives_idle", "10"},
                           {"keepalives_interval", "5"},
                           {"keepalives_count", "3"}};
  for (auto& option : *options) all.push_back(std::move(option));
  if (!settings.password.empty()) all.emplace_back("password", settings.password);
  all.emplace_back("client_encoding", "UTF8");
  // The cursor moves once a write is through: it must be on disk then.
  // Without statistics the planner thinks that a trace costs so much that compiling it pays: that
  // alone takes seconds (jit).
  all.emplace_back("options",
                   "-c synchronous_commit=on -c lock_timeout=10s -c TimeZone=UTC -c jit=off");
  return postgresql::guarded([&]() -> Result<std::unique_ptr<AuditStore>> {
    auto connection = std::make_unique<pqxx::connection>(postgresql::conninfo(all));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    connection->inhibit_reactivation(true);  // one that broke is never used again
#pragma GCC diagnostic pop
    if (auto prepared = postgresql::prepare(*connection, settings.reply); !prepared) {
      return std::move(prepared).error();
    }
    return std::unique_ptr<AuditStore>(
        std::make_unique<postgresql::PostgresqlStore>(std::move(connection), settings.reply));
  });
}

}  // namespace dr::db
