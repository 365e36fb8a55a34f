#include "db/sqlite_statement.h"

#include <sqlite3.h>

namespace dr::db::sqlite {

Error mapped(const SQLite::Exception& e) {
  // SQLite's messages name tables and columns, never values.
  const std::string detail =
      "sqlite " + std::to_string(e.getExtendedErrorCode()) + ": " + e.getErrorStr();
  constexpr int kPrimaryCode = 0xff;
  switch (e.getErrorCode() & kPrimaryCode) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return {Errc::kInvalid, detail};
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return {Errc::kNoSpace, detail};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Errc::kCorrupt, detail};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Errc::kConflict, detail};
    default:
      return {Errc::kIo, detail};
  }
}

}  // namespace dr::db::sqlite
