// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "edge/streams/stage_for_test.h"
#include "sqlite/sqlite.h"

namespace moru::edge {
namespace {

using testing::Caught;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WriteSqliteTest : public ::testing::Test {
 protected:
  static Schema schema() {
    Schema schema;
    schema.set({.name = "device \"x\"", .type = FieldType::kText});
    schema.set({.name = "value", .type = FieldType::kDouble, .unit = "degC"});
    schema.set({.name = "n", .type = FieldType::kInt64});
    return schema;
  }
  std::unique_ptr<Stage> open(const std::string& more = "", const Schema& input = schema()) {
    auto stage = testing::make_stage("write_sqlite", "{path: '" + path_.string() + "', table: 't; --', node: n1" + more + "}");
    EXPECT_TRUE(stage) << stage.error().message;
    const auto bound = (*stage)->bind(std::span(&input, 1));
    EXPECT_TRUE(bound) << bound.error().message;
    const auto status = (*stage)->open(context());
    EXPECT_TRUE(status) << status.error().message;
    return std::move(*stage);
  }
  StageContext context() { return {.clock = &clock_, .resources = {}, .stream = "line", .stop = {}}; }
  static Item item(std::uint64_t sequence) {
    Item made;
    made.sequence = sequence;
    made.event_time = 1000 + static_cast<TimeNs>(sequence);
    made.set("device \"x\"", "oven");
    made.set("value", 0.5 * static_cast<double>(sequence));
    return made;
  }
  std::vector<std::string> rows(const std::string& columns) const {
    std::vector<std::string> found;
    auto database = Database::open(path_, true);
    EXPECT_TRUE(database);
    const auto status = database->each("SELECT " + columns + " FROM \"t; --\" ORDER BY seq", {},
                                       [&](const SqlRow& row) { found.push_back(row.is_null(0) ? "NULL" : row.text(0)); });
    EXPECT_TRUE(status) << status.error().message;
    return found;
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-write-sqlite"));
  Path path_ = folder_.path() / "a.db";
  FakeClock clock_;
  Caught caught_;
};

TEST_F(WriteSqliteTest, ARowHasWhatTheItemHas) {
  const auto stage = open();
  for (std::uint64_t i = 1; i <= 2; ++i) ASSERT_TRUE(stage->process(item(i), caught_));
  EXPECT_EQ(stage->held(), 2U);
  ASSERT_TRUE(stage->flush(caught_));
  EXPECT_EQ(stage->held(), 0U);
  EXPECT_EQ(caught_.used_items, 2U);
  EXPECT_THAT(rows("node || stream || seq || ' ' || time || \"device \"\"x\"\"\" || value"),
              ElementsAre("n1line1 1001oven0.5", "n1line2 1002oven1.0"));
  EXPECT_THAT(rows("n"), ElementsAre("NULL", "NULL"));
}

TEST_F(WriteSqliteTest, WhatComesAgainIsOneRowAndSeen) {
  for (int run = 0; run < 2; ++run) {
    const auto stage = open();
    for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(stage->process(item(i), caught_));
    ASSERT_TRUE(stage->flush(caught_));
  }
  EXPECT_EQ(rows("seq").size(), 3U);
  EXPECT_EQ(caught_.used_items, 3U);
  EXPECT_THAT(caught_.reasons, ElementsAre("already stored", "already stored", "already stored"));
}

TEST_F(WriteSqliteTest, ANewFieldBecomesAColumnOfTheOldTable) {
  ASSERT_TRUE(open()->close());
  Schema wider = schema();
  wider.set({.name = "more", .type = FieldType::kInt64});
  const auto stage = open("", wider);
  Item made = item(1);
  made.set("more", 7);
  ASSERT_TRUE(stage->process(std::move(made), caught_));
  ASSERT_TRUE(stage->flush(caught_));
  EXPECT_THAT(rows("more"), ElementsAre("7"));
}

TEST_F(WriteSqliteTest, WhatTheTableRefusesIsDroppedAloneAndTheRestIsStored) {
  {
    auto database = Database::open(path_, false);
    ASSERT_TRUE(database);
    ASSERT_TRUE(
        database->execute("CREATE TABLE \"t; --\" (node, stream, seq, time, \"device \"\"x\"\"\", value CHECK (value < 5), n, "
                          "PRIMARY KEY (node, stream, seq, time))"));
  }
  const auto stage = open();
  for (std::uint64_t i = 1; i <= 20; ++i) {
    Item made = item(i);
    made.set("value", i % 7 == 0 ? 9.0 : 1.0);
    ASSERT_TRUE(stage->process(std::move(made), caught_));
  }
  ASSERT_TRUE(stage->flush(caught_));
  EXPECT_EQ(rows("seq").size(), 18U);
  EXPECT_EQ(caught_.used_items, 18U);
  EXPECT_THAT(caught_.reasons, ElementsAre("refused", "refused"));
}

TEST_F(WriteSqliteTest, WhatDoesNotFitOnTheDiskIsWrittenWhenThereIsRoom) {
  const auto stage = open();
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 40'000, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::uint64_t next = 0;
  Status status;
  while (status && next < 10'000) {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(stage->process(item(++next), caught_));
    status = stage->flush(caught_);
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kIo) << status.error().message;
  EXPECT_EQ(caught_.used_items + stage->held(), next);
  ASSERT_TRUE(stage->close());
  ASSERT_TRUE(stage->open(context()));
  ASSERT_TRUE(stage->flush(caught_));
  EXPECT_EQ(rows("seq").size(), next);
  EXPECT_EQ(caught_.used_items, next);
  EXPECT_TRUE(caught_.reasons.empty());
}

TEST_F(WriteSqliteTest, MistakesAreFoundBeforeAnythingRuns) {
  const auto mistake = [](const std::string& options, const std::string& field) {
    auto stage = testing::make_stage("write_sqlite", options);
    if (!stage) return stage.error().message;
    Schema input = schema();
    input.set({.name = field, .type = FieldType::kDouble});
    const auto bound = (*stage)->bind(std::span(&input, 1));
    return bound ? std::string() : bound.error().message;
  };
  EXPECT_EQ(mistake("{path: x, table: t}", "other"), "");
  EXPECT_THAT(mistake("{path: x, table: t}", "Time"), HasSubstr("found field 'Time', expected a name that is not that of another column"));
  EXPECT_THAT(mistake("{path: x, table: t}", "VALUE"), HasSubstr("found field 'VALUE'"));
  EXPECT_THAT(mistake("{path: x, table: t}", std::string(64, 'x')), HasSubstr("of 64 bytes"));
  EXPECT_THAT(mistake("{path: x, table: ''}", "other"), HasSubstr("expected one of 1 to 63 bytes"));
  EXPECT_THAT(mistake("{path: x, tabel: t}", "other"), HasSubstr("did you mean 'table'?"));
}

TEST_F(WriteSqliteTest, AFileThatAnotherProgramWritesToIsWaitedFor) {
  const auto stage = open();
  auto other = Database::open(path_, false);
  ASSERT_TRUE(other);
  ASSERT_TRUE(other->execute("BEGIN IMMEDIATE"));
  ASSERT_TRUE(stage->process(item(1), caught_));
  Status status;
  std::thread writer([&] { status = stage->flush(caught_); });
  ASSERT_TRUE(other->execute("COMMIT"));
  writer.join();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(rows("seq").size(), 1U);
}

}  // namespace
}  // namespace moru::edge
