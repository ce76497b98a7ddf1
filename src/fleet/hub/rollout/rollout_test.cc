// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/rollout/rollout.h"

#include <gmock/gmock.h>

#include "core/json.h"

namespace moru::fleet {
namespace {

using ::testing::HasSubstr;
using wire::DeploymentPhase;

constexpr TimeNs kStart = 1000 * kSecond;

/// Nodes that say what the test lets them say.
class RolloutTest : public ::testing::Test {
 protected:
  void make(int nodes, std::vector<double> waves = {0.5, 1.0}, bool first_install = false) {
    rollout_.id = "r1-test";
    rollout_.release = 2;
    rollout_.sha256 = std::string(64, 'a');
    rollout_.size = 100;
    rollout_.waves = std::move(waves);
    for (int i = 1; i <= nodes; ++i) {
      RolloutNode node;
      node.name = "node-" + std::to_string(i);
      node.first_install = first_install;
      rollout_.nodes.push_back(node);
      views_[node.name].online = true;
    }
    take(begin_rollout(&rollout_, now_));
  }
  void say(const std::string& node, DeploymentPhase phase, wire::ShadowStats shadow = {}, const std::string& reason = "") {
    wire::NodeState state;
    state.node = node;
    state.deployment = wire::NodeState::DeploymentState{"r1-test", 2, phase, reason, shadow};
    views_[node].state = state;
  }
  void all_say(DeploymentPhase phase, wire::ShadowStats shadow = {}) {
    for (const auto& node : rollout_.nodes) say(node.name, phase, shadow);
  }
  void advance(TimeNs by = kSecond) {
    now_ += by;
    take(advance_rollout(&rollout_, views_, now_));
  }
  void take(const Step& step) {
    orders_.clear();
    for (const auto& order : step.orders) orders_ += (orders_.empty() ? "" : " ") + order.node + ":" + order.action;
  }
  static wire::ShadowStats good(std::uint64_t items) {
    wire::ShadowStats stats;
    stats.items = items;
    stats.labelled = items;
    stats.both_right = items * 9 / 10;
    stats.agree = stats.both_right;
    stats.only_current = items / 100;
    stats.only_candidate = items / 100;
    return stats;
  }
  static wire::ShadowStats bad(std::uint64_t items) {
    auto stats = good(items);
    stats.both_right = items / 10;
    stats.only_current = items * 8 / 10;
    return stats;
  }

  Rollout rollout_;
  NodeViews views_;
  std::string orders_;
  TimeNs now_ = kStart;
};

TEST_F(RolloutTest, GoesFromStagingOverTheGateThroughBothWaves) {
  make(4);
  EXPECT_EQ(orders_, "node-1:stage node-2:stage node-3:stage node-4:stage");
  all_say(DeploymentPhase::kFetching);
  advance();
  EXPECT_EQ(rollout_.state, RolloutState::kPending);
  all_say(DeploymentPhase::kShadowing, good(10));
  advance();
  EXPECT_EQ(rollout_.state, RolloutState::kShadowing);
  all_say(DeploymentPhase::kShadowing, good(100));
  advance();
  EXPECT_EQ(rollout_.state, RolloutState::kShadowing);
  all_say(DeploymentPhase::kShadowing, good(150));
  advance();
  EXPECT_EQ(rollout_.state, RolloutState::kCommitting) << rollout_.reason;
  EXPECT_EQ(orders_, "node-1:commit node-2:commit");
  EXPECT_THAT(rollout_.reason, HasSubstr("600 labelled live items"));
  say("node-1", DeploymentPhase::kSoaking);
  say("node-2", DeploymentPhase::kCommitted);
  advance();
  EXPECT_EQ(orders_, "");
  say("node-1", DeploymentPhase::kCommitted);
  advance();
  EXPECT_EQ(orders_, "node-3:commit node-4:commit");
  all_say(DeploymentPhase::kCommitted);
  advance();
  EXPECT_EQ(rollout_.state, RolloutState::kSucceeded);
  EXPECT_EQ(rollout_.outcome, "succeeded");
  advance();
  EXPECT_EQ(orders_, "");
}

TEST_F(RolloutTest, TheGateFailsABadReleaseAndEverybodyAborts) {
  make(2);
  all_say(DeploymentPhase::kShadowing, bad(300));
  advance();
  advance();
  EXPECT_EQ(rollout_.state, RolloutState::kFailed);
  EXPECT_EQ(rollout_.outcome, "failed at the gate");
  EXPECT_EQ(orders_, "node-1:abort node-2:abort");
  EXPECT_THAT(rollout_.reason, HasSubstr("gate: accuracy drop"));
  EXPECT_GE(rollout_.figures.items, 500U);
}

TEST_F(RolloutTest, AfterTheEndEachNodeSaysHowItEnded) {
  make(3);
  all_say(DeploymentPhase::kShadowing, bad(300));
  advance();
  advance();
  ASSERT_EQ(rollout_.state, RolloutState::kFailed);
  for (const auto& node : rollout_.nodes) EXPECT_EQ(node.phase, kToldToAbort) << "it is not in shadow any more";
  EXPECT_FALSE(is_settled(rollout_));
  const std::string reason = rollout_.reason;

  say("node-1", DeploymentPhase::kAborted, {}, "the hub ended the rollout");
  say("node-2", DeploymentPhase::kCommitted);
  advance();
  EXPECT_EQ(rollout_.nodes[0].phase, "aborted");
  EXPECT_EQ(rollout_.nodes[0].reason, "the hub ended the rollout");
  EXPECT_EQ(rollout_.nodes[0].shadow.items, 300U) << "what the gate judged stays";
  EXPECT_EQ(rollout_.nodes[1].phase, "committed") << "it had committed before it heard of the end";
  EXPECT_EQ(rollout_.nodes[2].phase, kToldToAbort) << "it still says that it shadows";
  EXPECT_FALSE(is_settled(rollout_));
  say("node-3", DeploymentPhase::kAborted);
  advance();
  EXPECT_TRUE(is_settled(rollout_));
  EXPECT_EQ(rollout_.state, RolloutState::kFailed);
  EXPECT_EQ(rollout_.reason, reason);
  EXPECT_EQ(orders_, "");
}

TEST_F(RolloutTest, ANodeThatIsWithALaterRolloutHasEndedThisOne) {
  make(2);
  say("node-1", DeploymentPhase::kShadowing);
  say("node-2", DeploymentPhase::kFetching);
  views_["node-2"].state->deployment->id = "r0-earlier";
  advance(60 * kSecond);
  ASSERT_EQ(rollout_.outcome, "timed out");
  say("node-1", DeploymentPhase::kFetching);
  views_["node-1"].state->deployment->id = "r2-later";
  advance();
  EXPECT_EQ(rollout_.nodes[0].phase, "aborted");
  EXPECT_EQ(rollout_.nodes[0].reason, "the hub ended the rollout");
  EXPECT_EQ(rollout_.nodes[1].phase, kToldToAbort) << "it never was with this one: what it says is older";
}

TEST_F(RolloutTest, OneRefusalFailsItWithTheNodesReason) {
  make(2);
  say("node-1", DeploymentPhase::kShadowing, good(10));
  say("node-2", DeploymentPhase::kRefused, {}, "signature does not fit");
  advance();
  EXPECT_EQ(rollout_.state, RolloutState::kFailed);
  EXPECT_EQ(rollout_.outcome, "refused");
  EXPECT_EQ(rollout_.reason, "node 'node-2' refused the release: signature does not fit");
  EXPECT_EQ(orders_, "node-1:abort");
}

TEST_F(RolloutTest, AFirstInstallSkipsTheGate) {
  make(2, {0.5, 1.0}, true);
  all_say(DeploymentPhase::kShadowing);
  advance();
  EXPECT_EQ(rollout_.state, RolloutState::kCommitting);
  EXPECT_EQ(orders_, "node-1:commit");
}

TEST_F(RolloutTest, ARollBackInTheSecondWaveSaysWhoKeepsTheRelease) {
  make(2, {0.5, 1.0}, true);
  all_say(DeploymentPhase::kShadowing);
  advance();
  say("node-1", DeploymentPhase::kCommitted);
  advance();
  EXPECT_EQ(orders_, "node-2:commit");
  say("node-2", DeploymentPhase::kRolledBack, {}, "3 errors in the soak");
  advance();
  EXPECT_EQ(rollout_.outcome, "rolled back");
  EXPECT_THAT(rollout_.reason, HasSubstr("3 errors in the soak; 1 of 2 nodes had committed"));
  EXPECT_EQ(orders_, "");
}

TEST_F(RolloutTest, StagingHasADeadlineThatNamesWhoIsLate) {
  make(2);
  say("node-1", DeploymentPhase::kShadowing);
  views_["node-2"].online = false;
  advance(59 * kSecond);
  EXPECT_EQ(rollout_.state, RolloutState::kPending);
  advance(kSecond);
  EXPECT_EQ(rollout_.state, RolloutState::kFailed);
  EXPECT_EQ(rollout_.outcome, "timed out");
  EXPECT_EQ(rollout_.reason, "not staged within 1 min 00 s: node 'node-2' is offline");
  EXPECT_EQ(orders_, "node-1:abort node-2:abort");
}

TEST_F(RolloutTest, TheGateHasADeadline) {
  make(1, {1.0});
  all_say(DeploymentPhase::kShadowing, good(40));
  advance();
  advance(120 * kSecond);
  EXPECT_EQ(rollout_.state, RolloutState::kFailed);
  EXPECT_THAT(rollout_.reason, HasSubstr("40 live items in shadow, expected at least 500"));
}

TEST_F(RolloutTest, TheSoakHasADeadline) {
  make(1, {1.0}, true);
  all_say(DeploymentPhase::kShadowing);
  advance();
  all_say(DeploymentPhase::kSoaking);
  advance(60 * kSecond);
  EXPECT_EQ(rollout_.state, RolloutState::kFailed);
  EXPECT_EQ(rollout_.reason, "wave 1 not committed within 1 min 00 s: node 'node-1' is soaking");
  EXPECT_EQ(orders_, "node-1:abort");
}

TEST_F(RolloutTest, AnAbortTellsEverybodyOnce) {
  make(2);
  take(abort_rollout(&rollout_, "wrong release"));
  EXPECT_EQ(rollout_.state, RolloutState::kAborted);
  EXPECT_EQ(orders_, "node-1:abort node-2:abort");
  take(abort_rollout(&rollout_, "again"));
  EXPECT_EQ(orders_, "");
  EXPECT_EQ(rollout_.reason, "wrong release");
}

TEST_F(RolloutTest, ReportsOfAnotherRolloutAreNotTaken) {
  make(1, {1.0});
  say("node-1", DeploymentPhase::kRefused, {}, "old");
  views_["node-1"].state->deployment->id = "r0-other";
  advance();
  EXPECT_EQ(rollout_.state, RolloutState::kPending);
}

TEST_F(RolloutTest, JsonGivesTheSameRolloutBack) {
  make(3);
  all_say(DeploymentPhase::kShadowing, good(100));
  advance();
  const Json json = write_rollout(rollout_);
  const auto back = read_rollout(json);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(write_rollout(*back), json);
  Json broken = json;
  broken.erase("nodes");
  EXPECT_FALSE(read_rollout(broken));
}

TEST(AssignWaves, TheFirstShareGoesFirstRoundedUp) {
  for (const auto& [count, expected] : std::vector<std::pair<int, std::string>>{{1, "0"}, {2, "01"}, {3, "001"}, {5, "00011"}}) {
    Rollout rollout;
    rollout.waves = {0.5, 1.0};
    rollout.nodes.resize(static_cast<std::size_t>(count));
    assign_waves(&rollout);
    std::string waves;
    for (const auto& node : rollout.nodes) waves += std::to_string(node.wave);
    EXPECT_EQ(waves, expected);
  }
}

}  // namespace
}  // namespace moru::fleet
