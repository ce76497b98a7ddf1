// SPDX-License-Identifier: Apache-2.0
#include "sqlite/sqlite.h"

#include <gtest/gtest.h>

namespace moru {
namespace {

TEST(Sqlite, TakesNamesAndValuesAsTheyAre) {
  const auto folder = TempFolder::create("moru-sqlite");
  ASSERT_TRUE(folder);
  auto database = Database::open(folder->path() / "a.db", false);
  ASSERT_TRUE(database) << database.error().message;
  const std::string table = sql_name("a \"b\"; DROP TABLE x");
  ASSERT_TRUE(database->execute("CREATE TABLE " + table + " (n INTEGER PRIMARY KEY, t TEXT)"));
  const std::vector<SqlValue> row = {std::int64_t{7}, std::string("it's\0", 6)};
  EXPECT_EQ(database->run("INSERT INTO " + table + " VALUES (?, ?)", row).value_or(-1), 1);
  std::string text;
  ASSERT_TRUE(
      database->each("SELECT t FROM " + table + " WHERE n = ?", {std::int64_t{7}}, [&](const SqlRow& found) { text = found.text(0); }));
  EXPECT_EQ(text, std::string("it's\0", 6));
}

TEST(Sqlite, SaysWhetherTheValueOrThePlaceIsWrong) {
  const auto folder = TempFolder::create("moru-sqlite");
  ASSERT_TRUE(folder);
  auto database = Database::open(folder->path() / "a.db", false);
  ASSERT_TRUE(database);
  ASSERT_TRUE(database->execute("CREATE TABLE x (n INTEGER PRIMARY KEY)"));
  ASSERT_TRUE(database->run("INSERT INTO x VALUES (?)", {std::int64_t{1}}));
  EXPECT_EQ(database->run("INSERT INTO x VALUES (?)", {std::int64_t{1}}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(database->run("INSERT INTO y VALUES (?)", {std::int64_t{1}}).error().code, ErrorCode::kInternal);
  EXPECT_EQ(Database::open("/nowhere/at/all.db", false).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace moru
