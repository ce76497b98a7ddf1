// SPDX-License-Identifier: Apache-2.0
// The sink write_postgres, with a real server.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "edge/streams/postgres_for_test.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using testing::Caught;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::PostgresServer;

class WritePostgresTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { postgres = PostgresServer::start(); }
  static void TearDownTestSuite() { postgres.reset(); }
  void SetUp() override {
    if (!postgres) GTEST_SKIP() << "this machine has no PostgreSQL server";
    static int count = 0;
    table_ = fmt::format("t\"; {}", ++count);
  }
  static Schema schema() {
    Schema schema;
    schema.set({.name = "device", .type = FieldType::kText});
    schema.set({.name = "Value", .type = FieldType::kDouble, .unit = "degC"});
    schema.set({.name = "n", .type = FieldType::kInt64});
    return schema;
  }
  std::string options(const std::string& more = "") const {
    const auto server = postgres->options();
    return fmt::format("host: {}\nport: {}\ndatabase: {}\nuser: {}\npassword_file: {}\ntable: '{}'\nnode: n1\n{}", server.host, server.port,
                       server.database, server.user, postgres->password_file().string(), table_, more);
  }
  std::unique_ptr<Stage> open(const std::string& text, const Schema& input = schema()) {
    auto stage = testing::make_stage("write_postgres", text);
    EXPECT_TRUE(stage) << stage.error().message;
    const auto bound = (*stage)->bind(std::span(&input, 1));
    EXPECT_TRUE(bound) << bound.error().message;
    EXPECT_TRUE((*stage)->open(context()));
    return std::move(*stage);
  }
  StageContext context() { return {.clock = &clock_, .resources = {}, .stream = "line", .stop = {}}; }
  static Item item(std::uint64_t sequence, std::string_view device = "oven", double value = 0.5) {
    Item made;
    made.sequence = sequence;
    made.event_time = 1000 + static_cast<TimeNs>(sequence);
    made.set("device", device);
    made.set("Value", value);
    return made;
  }
  void flush(Stage& stage) {
    const auto status = stage.flush(caught_);
    ASSERT_TRUE(status) << status.error().message;
  }
  /// The table's name as SQL has it.
  std::string table() const {
    std::string name = "\"";
    for (const char c : table_) name += c == '"' ? std::string("\"\"") : std::string(1, c);
    return name + "\"";
  }
  std::string count() const { return postgres->query("SELECT count(*) FROM " + table()); }

  static std::unique_ptr<PostgresServer> postgres;
  std::string table_;
  FakeClock clock_;
  Caught caught_;
};
std::unique_ptr<PostgresServer> WritePostgresTest::postgres;

TEST_F(WritePostgresTest, ARowHasWhatTheItemHas) {
  const auto stage = open(options());
  Item all = item(1, "it's \\ \"x\"", 1.0 / 3.0);
  all.set("n", std::numeric_limits<std::int64_t>::min());
  ASSERT_TRUE(stage->process(std::move(all), caught_));
  ASSERT_TRUE(stage->process(item(2, std::string_view("a\0\xFF", 3), std::nan("")), caught_));
  flush(*stage);
  EXPECT_EQ(postgres->query("SELECT * FROM " + table() + " ORDER BY seq"),
            "n1|line|1|1001|it's \\ \"x\"|0.3333333333333333|-9223372036854775808\nn1|line|2|1002|a\uFFFD\uFFFD|NaN|");
  EXPECT_EQ(caught_.used_items, 2U);
  EXPECT_EQ(stage->held(), 0U);
}

TEST_F(WritePostgresTest, WhatComesAgainIsOneRowAndSeen) {
  for (int run = 0; run < 2; ++run) {
    const auto stage = open(options());
    for (std::uint64_t i = 1; i <= 300; ++i) ASSERT_TRUE(stage->process(item(i), caught_));
    flush(*stage);
  }
  EXPECT_EQ(count(), "300");
  EXPECT_EQ(caught_.used_items, 300U);
  EXPECT_EQ(caught_.reasons.size(), 300U);
  EXPECT_EQ(caught_.reasons[0], "already stored");
}

TEST_F(WritePostgresTest, WhatTheTableRefusesIsDroppedAloneAndTheRestIsStored) {
  ASSERT_EQ(postgres->query("CREATE TABLE " + table() +
                            " (node text, stream text, seq bigint, time bigint, device text, \"Value\" float8 CHECK "
                            "(\"Value\" < 5), n int, PRIMARY KEY (node, stream, seq, time))"),
            "CREATE TABLE");
  const auto stage = open(options("create: false"));
  for (std::uint64_t i = 1; i <= 20; ++i) {
    Item made = item(i, "a", i % 7 == 0 ? 9.0 : 1.0);
    if (i == 20) made.set("n", std::int64_t{1} << 40);  // no int
    ASSERT_TRUE(stage->process(std::move(made), caught_));
  }
  flush(*stage);
  EXPECT_EQ(count(), "17");
  EXPECT_THAT(caught_.reasons, ElementsAre("refused", "refused", "refused"));
}

TEST_F(WritePostgresTest, ANewFieldBecomesAColumnOfTheOldTable) {
  const auto old = open(options());
  ASSERT_TRUE(old->process(item(1), caught_));
  flush(*old);
  Schema wider = schema();
  wider.set({.name = "more", .type = FieldType::kText});
  const auto stage = open(options(), wider);
  Item made = item(2);
  made.set("more", "yes");
  ASSERT_TRUE(stage->process(std::move(made), caught_));
  flush(*stage);
  EXPECT_EQ(postgres->query("SELECT more FROM " + table() + " WHERE seq = 2"), "yes");
}

TEST_F(WritePostgresTest, AServerThatIsKilledTakesNothingWithIt) {
  const auto document = ConfigObject::parse(fmt::format(R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {{name: line}}
spec:
  stages:
    - {{name: in, stage: synthetic, options: {{keys: 2, items: 4000, rate_hz: 4000}}}}
    - name: out
      stage: write_postgres
      inputs: [in]
      queue: 8
      options: {{host: 127.0.0.1, port: {}, database: postgres, user: tester, password_file: {}, table: killed, timeout_s: 5}}
)",
                                                        postgres->options().port, postgres->password_file().string()),
                                            "test.yaml");
  ASSERT_TRUE(document);
  const auto spec = read_stream(*document, all_stages());
  ASSERT_TRUE(spec) << spec.error().message;
  auto stream = Stream::start(*spec, {.clock = &system_clock(), .resources = {}, .stream = {}, .stop = {}});
  ASSERT_TRUE(stream) << stream.error().message;
  const auto stored = [&] { return (*stream)->state().stages.back().used; };
  while (stored() < 100) std::this_thread::yield();
  postgres->kill();
  while ((*stream)->state().stages.back().stale.empty() && !(*stream)->finished()) std::this_thread::yield();
  ASSERT_TRUE(postgres->run());
  while (!(*stream)->finished()) std::this_thread::yield();
  const auto state = (*stream)->state();
  EXPECT_EQ(state.state, "finished");
  for (const auto& row : state.stages) EXPECT_TRUE(row.balanced()) << row.name;
  for (const auto& link : state.ledger) EXPECT_TRUE(link.balanced()) << link.link;
  EXPECT_EQ(postgres->query("SELECT count(*), min(seq) FROM killed"), fmt::format("{}|1", state.items));
}

TEST_F(WritePostgresTest, WithoutAServerTheItemsStay) {
  const auto stage = open(fmt::format("{{host: 127.0.0.1, port: {}, database: x, user: x, table: t}}", *free_port()));
  ASSERT_TRUE(stage->process(item(1), caught_));
  const auto status = stage->flush(caught_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(status.error().message, HasSubstr("expected a server that answers"));
  EXPECT_EQ(stage->held(), 1U);
}

TEST_F(WritePostgresTest, AServerThatHangsIsGivenUpAndTriedAgain) {
  const auto stage = open(options("timeout_s: 0.2"));
  ASSERT_TRUE(stage->process(item(1), caught_));
  flush(*stage);
  const auto connected = Postgres::connect(postgres->options());
  ASSERT_TRUE(connected);
  ASSERT_EQ(postgres->query("SELECT 1"), "1");
  // Its table is locked by another: the server is there and does not answer.
  auto locker = Postgres::connect(postgres->options());
  ASSERT_TRUE(locker);
  ASSERT_TRUE(locker->execute("SELECT pg_advisory_lock(1)"));
  ASSERT_EQ(postgres->query(
                "CREATE FUNCTION wait() RETURNS trigger AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END' LANGUAGE plpgsql; "
                "CREATE TRIGGER wait BEFORE INSERT ON " +
                table() + " FOR EACH ROW EXECUTE FUNCTION wait()"),
            "CREATE FUNCTION\nCREATE TRIGGER");
  ASSERT_TRUE(stage->process(item(2), caught_));
  const auto status = stage->flush(caught_);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("no answer within 200"));
  ASSERT_TRUE(stage->close());
  ASSERT_TRUE(locker->execute("SELECT pg_advisory_unlock(1)"));
  ASSERT_TRUE(stage->open(context()));
  for (int i = 0; i < 100 && !stage->flush(caught_); ++i)
    ASSERT_TRUE(stage->close());  // the statement that was given up may still hold the row
  EXPECT_EQ(stage->held(), 0U);
  EXPECT_EQ(count(), "2");
}

TEST_F(WritePostgresTest, AWrongPasswordIsSaidAndNotShown) {
  auto wrong = postgres->options();
  wrong.password = "hunter2";
  const auto refused = Postgres::connect(wrong);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("password authentication failed"));
  EXPECT_THAT(refused.error().message, Not(HasSubstr("hunter2")));
}

TEST_F(WritePostgresTest, TheExampleRuns) {
  std::string example(find_stage("write_postgres")->example);
  const auto at = example.find("host: db.example");
  ASSERT_NE(at, std::string::npos);
  example.replace(at, example.find("table: readings") - at,
                  fmt::format("host: 127.0.0.1, port: {}, database: postgres, user: tester, password_file: {}, ", postgres->options().port,
                              postgres->password_file().string()));
  testing::run_example(*find_stage("write_postgres"), all_stages(), example);
}

TEST(WritePostgresOptions, MistakesAreFoundBeforeAnythingRuns) {
  const auto mistake = [](const std::string& more) {
    const auto stage = testing::make_stage("write_postgres", "{host: h, database: d, user: u, table: t" + more + "}");
    return stage ? std::string() : stage.error().message;
  };
  EXPECT_EQ(mistake(""), "");
  EXPECT_THAT(mistake(", password: x"), HasSubstr("unknown"));
  EXPECT_THAT(mistake(", password_file: x, password_variable: y"), HasSubstr("expected one of them"));
  EXPECT_THAT(mistake(", tls: verify"), HasSubstr("'verify'"));
}

}  // namespace
}  // namespace moru::edge
