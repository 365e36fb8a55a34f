#include "router/replay/snapshot_store.h"

#include <filesystem>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

namespace dr::replay {
namespace {

using journal::Sequence;

constexpr int kBusyMs = 5000;
constexpr int kFormat = 1;  // PRAGMA user_version

constexpr const char* kCreate =
    "CREATE TABLE IF NOT EXISTS snapshot (sequence INTEGER PRIMARY KEY, received INTEGER NOT NULL, "
    "keep INTEGER NOT NULL, record BLOB NOT NULL, encoding INTEGER NOT NULL, octets INTEGER NOT "
    "NULL, header BLOB NOT NULL, missing BLOB NOT NULL, cut INTEGER);"
    "CREATE INDEX IF NOT EXISTS snapshot_by_receipt ON snapshot (received);";
constexpr const char* kInsert =
    "INSERT OR REPLACE INTO snapshot (sequence, received, keep, record, encoding, octets, header, "
    "missing, cut) VALUES (?,?,?,?,?,?,?,?,?)";
constexpr const char* kSelect =
    "SELECT sequence, keep, record, encoding, octets, header, missing, cut FROM snapshot "
    "WHERE received >= ? ORDER BY sequence";
constexpr const char* kPurge =
    "DELETE FROM snapshot WHERE sequence IN "
    "(SELECT sequence FROM snapshot WHERE received < ? LIMIT 10000)";

// Columns of kSelect.
enum { kSequence, kKeep, kRecord, kEncoding, kOctets, kHeader, kMissing, kCut };

Error mapped(const SQLite::Exception& e) {
  return {Errc::kIo, std::string("snapshots: ") + e.what()};
}

Bytes deflated(ByteSpan octets) {
  Bytes out(compressBound(static_cast<uLong>(octets.size())));
  uLongf length = out.size();
  // Fails only where memory or room is missing, and there is room.
  if (compress2(reinterpret_cast<Bytef*>(out.data()), &length,
                reinterpret_cast<const Bytef*>(octets.data()), static_cast<uLong>(octets.size()),
                Z_BEST_SPEED) != Z_OK) {
    throw std::bad_alloc();
  }
  out.resize(length);
  return out;
}

std::optional<Bytes> inflated(ByteSpan octets, std::int64_t length) {
  if (length < 0 || length > static_cast<std::int64_t>(2 * kMaxHead)) return std::nullopt;
  Bytes out(static_cast<std::size_t>(length));
  uLongf have = out.size();
  const int result =
      uncompress(reinterpret_cast<Bytef*>(out.data()), &have,
                 reinterpret_cast<const Bytef*>(octets.data()), static_cast<uLong>(octets.size()));
  if (result != Z_OK || have != out.size()) return std::nullopt;
  return out;
}

std::uint32_t number(encoding::Tag tag) {
  return std::uint32_t{tag.group} << 16 | std::uint32_t{tag.element};
}
encoding::Tag tag(std::uint32_t number) {
  return {static_cast<std::uint16_t>(number >> 16), static_cast<std::uint16_t>(number)};
}

ByteSpan blob(const SQLite::Column& column) {
  return {static_cast<const std::byte*>(column.getBlob()),
          static_cast<std::size_t>(column.getBytes())};
}

void bind_octets(SQLite::Statement& statement, int at, ByteSpan octets) {
  // An empty one is not NULL.
  const void* const data = octets.empty() ? "" : static_cast<const void*>(octets.data());
  statement.bind(at, data, static_cast<int>(octets.size()));
}

class SqliteSnapshots final : public SnapshotStore {
 public:
  explicit SqliteSnapshots(SQLite::Database db) : db_(std::move(db)) {}

  Result<void> write(std::span<const Snapshot> snapshots, Keep keep) override {
    try {
      SQLite::Transaction transaction(db_, SQLite::TransactionBehavior::IMMEDIATE);
      SQLite::Statement insert(db_, kInsert);
      for (const Snapshot& snapshot : snapshots) {
        put(insert, snapshot, keep);
        insert.exec();
        insert.reset();
        insert.clearBindings();
      }
      transaction.commit();
      return {};
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<std::uint64_t> purge(UtcMicros before) override {
    try {
      std::uint64_t removed = 0;
      for (;;) {  // a little at a time: readers and the disk are not kept waiting
        SQLite::Statement remove(db_, kPurge);
        remove.bind(1, to_micros(before));
        const int n = remove.exec();
        if (n == 0) break;
        removed += static_cast<std::uint64_t>(n);
      }
      if (removed > 0) db_.exec("PRAGMA incremental_vacuum");
      return removed;
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

  Result<Read> each(UtcMicros since,
                    const std::function<bool(const Snapshot&, Keep)>& take) override {
    try {
      Read result;
      SQLite::Statement rows(db_, kSelect);
      rows.bind(1, to_micros(since));
      while (rows.executeStep()) {
        const auto snapshot = read(rows);
        if (!snapshot) {
          ++result.unreadable;
          continue;
        }
        ++result.read;
        if (!take(*snapshot, static_cast<Keep>(rows.getColumn(kKeep).getInt()))) break;
      }
      return result;
    } catch (const SQLite::Exception& e) {
      return mapped(e);
    }
  }

 private:
  static void put(SQLite::Statement& insert, const Snapshot& snapshot, Keep keep) {
    const Header& header = snapshot.header;
    insert.bind(1, static_cast<std::int64_t>(value(snapshot.sequence)));
    insert.bind(2, to_micros(snapshot.object.received));
    insert.bind(3, static_cast<int>(keep));
    bind_octets(insert, 4, encode(snapshot.object));
    insert.bind(5, (header.explicit_vr ? 1 : 0) + (header.big_endian ? 2 : 0));
    insert.bind(6, static_cast<std::int64_t>(header.octets.size()));
    bind_octets(insert, 7, deflated(header.octets));
    Bytes missing;
    ByteWriter writer(missing);
    for (const encoding::Tag each : header.missing) writer.le(number(each));
    bind_octets(insert, 8, missing);
    if (header.cut) insert.bind(9, static_cast<std::int64_t>(number(*header.cut)));
  }

  static std::optional<Snapshot> read(SQLite::Statement& rows) {
    auto object = journal::decode_object(blob(rows.getColumn(kRecord)));
    auto octets = inflated(blob(rows.getColumn(kHeader)), rows.getColumn(kOctets).getInt64());
    if (!object || !octets) return std::nullopt;
    Snapshot snapshot;
    snapshot.sequence = Sequence{static_cast<std::uint64_t>(rows.getColumn(kSequence).getInt64())};
    snapshot.object = std::move(*object);
    snapshot.header.octets = std::move(*octets);
    const int encoding = rows.getColumn(kEncoding).getInt();
    snapshot.header.explicit_vr = (encoding & 1) != 0;
    snapshot.header.big_endian = (encoding & 2) != 0;
    ByteReader missing(blob(rows.getColumn(kMissing)));
    while (missing.remaining() >= 4) {
      snapshot.header.missing.push_back(tag(missing.le<std::uint32_t>()));
    }
    if (!rows.getColumn(kCut).isNull()) {
      snapshot.header.cut = tag(static_cast<std::uint32_t>(rows.getColumn(kCut).getInt64()));
    }
    return snapshot;
  }

  SQLite::Database db_;
};

}  // namespace

Result<std::unique_ptr<SnapshotStore>> SnapshotStore::open(const std::string& path) {
  // Headers tell about people: nobody else reads them, not even for a moment.
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return Error{Errc::kIo, path + ": can not be opened"};
  ::close(fd);
  try {
    SQLite::Database db(path, SQLite::OPEN_READWRITE, kBusyMs);
    if (db.execAndGet("PRAGMA user_version").getInt() > kFormat) {
      return Error{Errc::kUnsupported, path + ": written by a later version"};
    }
    db.exec("PRAGMA auto_vacuum = INCREMENTAL");  // before the first table
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = NORMAL");  // what power loss takes, the cursor brings again
    db.exec(kCreate);
    db.exec("PRAGMA user_version = " + std::to_string(kFormat));
    return std::unique_ptr<SnapshotStore>(std::make_unique<SqliteSnapshots>(std::move(db)));
  } catch (const SQLite::Exception& e) {
    return mapped(e);
  }
}

Result<std::unique_ptr<SnapshotStore>> SnapshotStore::open_to_read(const std::string& path) {
  if (!std::filesystem::exists(path)) return Error{Errc::kNotFound, path};
  try {
    SQLite::Database db(path, SQLite::OPEN_READONLY, kBusyMs);
    if (db.execAndGet("PRAGMA user_version").getInt() > kFormat) {
      return Error{Errc::kUnsupported, path + ": written by a later version"};
    }
    return std::unique_ptr<SnapshotStore>(std::make_unique<SqliteSnapshots>(std::move(db)));
  } catch (const SQLite::Exception& e) {
    return mapped(e);
  }
}

}  // namespace dr::replay
