#include <sys/stat.h>

#include "test/db/store_fixture.h"

namespace dr::db {
namespace {

class SqliteStore : public StoreTest {};

TEST_F(SqliteStore, ItsFilesAreTheOwnersAlone) {
  const auto nested = folder_ / "a" / "b" / "audit.sqlite";
  auto store = open_sqlite(nested.string());
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE((*store)->write(rows_of_every_kind()).ok());
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status {};
    ASSERT_EQ(::stat((nested.string() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << suffix;
  }
}

}  // namespace
}  // namespace dr::db
