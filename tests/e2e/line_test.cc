// SPDX-License-Identifier: Apache-2.0
// Hub and nodes as processes, with a small seeded model: what happens when things are killed in the middle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>

#include "sqlite/sqlite.h"
#include "tests/support/program.h"
#include "tests/support/small_line.h"

namespace moru::factory {
namespace {

class LineTest : public testing::SmallLineTest {
 protected:
  static void install(Line& line, const std::string& bytes, std::int64_t version) {
    ASSERT_TRUE(line.push_release(bytes));
    const auto result = line.roll_out(version, Json::object());
    ASSERT_TRUE(result) << result.error().message;
    ASSERT_EQ(result->state, "succeeded") << result->reason;
  }

  /// Waits until the first node has emitted `items`.
  static void wait_for_items(const Line& line, std::uint64_t items) {
    for (int i = 0; i < 600; ++i) {
      const auto states = line.node_states();
      ASSERT_TRUE(states) << states.error().message;
      if (!states->empty() && states->front().items >= items) return;
      wait_for_stop(50 * kMillisecond);
    }
    FAIL() << "the source did not emit " << items << " items within 30 s";
  }

  /// Lets the tokens' time be over in the hub's own database, as if it had passed.
  static void expire_all_tokens(const Path& hub_home) {
    auto database = Database::open(hub_home / "hub.db", false);
    ASSERT_TRUE(database) << database.error().message;
    const auto changed = database->run("UPDATE tokens SET expires_ns = ?", {std::int64_t{1}});
    ASSERT_TRUE(changed) << changed.error().message;
    ASSERT_EQ(*changed, 1);
  }

  /// Each sequence number from 1 to the last is stored once, and every link's ledger adds up.
  static void expect_nothing_lost(const Line& line, std::uint64_t items) {
    const auto records = line.records();
    ASSERT_TRUE(records) << records.error().message;
    std::multiset<std::uint64_t> sequences;
    for (const auto& record : *records) sequences.insert(json_or<std::uint64_t>(record["body"], "seq", 0));
    EXPECT_EQ(sequences.size(), items);
    EXPECT_EQ(std::set<std::uint64_t>(sequences.begin(), sequences.end()).size(), items);
    const auto states = line.node_states();
    ASSERT_TRUE(states);
    for (const auto& state : *states) {
      EXPECT_EQ(state.missed, 0U);
      for (const auto& link : state.ledger) {
        EXPECT_TRUE(link.balanced()) << state.node << " " << link.link;
        EXPECT_EQ(link.dropped_total(), 0U) << state.node << " " << link.link;
      }
    }
  }
};

TEST_F(LineTest, BrokerKilledInTheMiddleLosesNothing) {
  auto line = start();
  ASSERT_NE(line, nullptr);
  install(*line, bundle(1, 0), 1);
  wait_for_items(*line, 200);
  ASSERT_EQ(::kill(line->broker_pid(), SIGKILL), 0);
  wait_for_items(*line, 600);
  const auto drained = line->drain(1000, 60 * kSecond);
  ASSERT_TRUE(drained) << drained.error().message;
  expect_nothing_lost(*line, 1000);
}

TEST_F(LineTest, BundleForAnotherTargetIsRefused) {
  auto line = start();
  ASSERT_NE(line, nullptr);
  ASSERT_TRUE(line->push_release(bundle(1, 0, "cortex-m")));
  const auto result = line->roll_out(1, Json::object());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->state, "failed");
  EXPECT_TRUE(result->refused);
  EXPECT_THAT(result->reason, ::testing::HasSubstr("cortex-m"));
  const auto watched = moru::testing::run_program("moru", {"rollout", "watch", result->id, "--home", path("line/hub").string()});
  EXPECT_EQ(watched.code, 1) << watched.output;
  EXPECT_THAT(watched.output, ::testing::HasSubstr("cortex-m"));
}

TEST_F(LineTest, BundleSignedByAStrangerIsRefused) {
  auto line = start();
  ASSERT_NE(line, nullptr);
  auto stranger = trust::SigningKey::generate();
  ASSERT_TRUE(stranger);
  key_.emplace(std::move(*stranger));
  ASSERT_TRUE(line->push_release(bundle(1, 0)));
  const auto result = line->roll_out(1, Json::object());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->state, "failed");
  EXPECT_TRUE(result->refused);
  EXPECT_THAT(result->reason, ::testing::HasSubstr("signature"));
}

TEST_F(LineTest, JoinTokenWorksOnce) {
  auto line = start(0);
  ASSERT_NE(line, nullptr);
  const auto answer = line->hub().post("/v1/tokens", {{"valid_seconds", 600}});
  ASSERT_TRUE(answer) << answer.error().message;
  const auto token = json_or<std::string>(*answer, "token", "");
  const auto first = moru::testing::run_program("moru-agent", {"join", "--name", "a", "--home", path("a").string(), "--token", token});
  EXPECT_EQ(first.code, 0) << first.output;
  const auto second = moru::testing::run_program("moru-agent", {"join", "--name", "b", "--home", path("b").string(), "--token", token});
  EXPECT_EQ(second.code, 2) << second.output;
  EXPECT_THAT(second.output, ::testing::HasSubstr("used"));
  EXPECT_THAT(second.output, ::testing::HasSubstr("moru hub token")) << "what to do";
  EXPECT_EQ(second.output.find(token), std::string::npos) << "a secret in a message";
}

TEST_F(LineTest, ExpiredJoinTokenIsRefused) {
  auto line = start(0);
  ASSERT_NE(line, nullptr);
  const auto answer = line->hub().post("/v1/tokens", {{"valid_seconds", 600}});
  ASSERT_TRUE(answer) << answer.error().message;
  expire_all_tokens(path("line/hub"));
  const auto run = moru::testing::run_program(
      "moru-agent", {"join", "--name", "a", "--home", path("a").string(), "--token", json_or<std::string>(*answer, "token", "")});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_THAT(run.output, ::testing::HasSubstr("expired"));
  EXPECT_THAT(run.output, ::testing::HasSubstr("moru hub token")) << "what to do";
}

TEST_F(LineTest, NodeKilledInTheMiddleLosesNothingThatWasTaken) {
  auto line = start();
  ASSERT_NE(line, nullptr);
  install(*line, bundle(1, 0), 1);
  wait_for_items(*line, 200);
  line->agents()[0].send_signal(SIGKILL);
  ASSERT_TRUE(line->agents()[0].wait_for(5 * kSecond));
  ASSERT_TRUE(line->restart_agent(0));
  const auto drained = line->drain(600, 60 * kSecond);
  ASSERT_TRUE(drained) << drained.error().message;
  const auto states = line->node_states();
  ASSERT_TRUE(states);
  for (const auto& link : states->front().ledger) EXPECT_TRUE(link.balanced()) << link.link;
  EXPECT_EQ(states->front().release, 1) << "the node came back with the release it had";
}

}  // namespace
}  // namespace moru::factory
