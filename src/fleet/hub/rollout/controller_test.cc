// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/rollout/controller.h"

#include <gmock/gmock.h>

#include "core/json.h"

namespace moru::fleet {
namespace {

using ::testing::HasSubstr;
using wire::DeploymentPhase;

RolloutRequest request(std::int64_t release, std::vector<std::string> nodes = {}) {
  RolloutRequest made;
  made.release = release;
  made.nodes = std::move(nodes);
  return made;
}

class ControllerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-controller");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    auto store = Store::open(folder_->path(), clock_);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    for (const std::string node : {"a", "b"}) {
      ASSERT_TRUE(store_->add_token("t" + node, "s", "", clock_.wall_now() + kSecond));
      ASSERT_EQ(store_->redeem_token({"t" + node, "s", node, "r"}).value(), TokenOutcome::kAccepted);
      views_[node].online = true;
    }
    ASSERT_TRUE(store_->add_release({2, "line", std::string(64, 'a'), 10, 1}));
    restart();
  }
  void restart() {
    ControllerHooks hooks;
    hooks.send = [this](const std::string& node, const wire::Desired& desired) { sent_[node] = desired; };
    hooks.changed = [this](const Json&) { ++changes_; };
    auto controller = RolloutController::create(*store_, clock_, std::move(hooks));
    ASSERT_TRUE(controller) << controller.error().message;
    controller_ = std::move(*controller);
  }
  void say(const std::string& node, const std::string& id, DeploymentPhase phase) {
    wire::NodeState state;
    state.node = node;
    state.deployment = wire::NodeState::DeploymentState{id, 2, phase, "", {}};
    views_[node].state = state;
  }
  std::string state_of(const std::string& id) {
    const auto json = controller_->show(id);
    return json ? (*json)["state"].get<std::string>() : json.error().message;
  }

  std::optional<TempFolder> folder_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<RolloutController> controller_;
  NodeViews views_;
  std::map<std::string, wire::Desired> sent_;
  int changes_ = 0;
};

TEST_F(ControllerTest, ARestartedHubGoesOnWhereItWas) {
  const auto id = controller_->start(request(2), views_);
  ASSERT_TRUE(id) << id.error().message;
  say("a", *id, DeploymentPhase::kShadowing);
  say("b", *id, DeploymentPhase::kShadowing);
  controller_->tick(views_);
  EXPECT_EQ(sent_["a"].deployment->action, "commit");
  EXPECT_EQ(sent_["a"].generation, 2);
  EXPECT_EQ(sent_["b"].deployment->action, "stage");

  sent_.clear();
  clock_.advance(300 * kSecond);  // longer than any deadline: a hub that was away gives the nodes the time again
  restart();
  controller_->resend();
  EXPECT_EQ(sent_["a"].deployment->action, "commit");
  EXPECT_EQ(sent_["a"].generation, 2);
  controller_->tick(views_);
  EXPECT_EQ(state_of(*id), "committing");
  say("a", *id, DeploymentPhase::kCommitted);
  controller_->tick(views_);
  EXPECT_EQ(sent_["b"].deployment->action, "commit");
  say("b", *id, DeploymentPhase::kCommitted);
  controller_->tick(views_);
  EXPECT_EQ(state_of(*id), "succeeded");
  const auto history = (*controller_->show(*id))["history"];
  ASSERT_EQ(history.size(), 4U);
  EXPECT_EQ(history[0]["state"], "pending");
  EXPECT_EQ(history[3]["state"], "succeeded");
}

TEST_F(ControllerTest, HowTheNodesEndedIsKeptAfterTheEnd) {
  const auto id = controller_->start(request(2), views_);
  ASSERT_TRUE(id) << id.error().message;
  say("a", *id, DeploymentPhase::kShadowing);
  say("b", *id, DeploymentPhase::kRefused);
  controller_->tick(views_);
  EXPECT_EQ(state_of(*id), "failed");
  const int changes = changes_;
  say("a", *id, DeploymentPhase::kAborted);
  controller_->tick(views_);
  EXPECT_EQ(changes_, changes + 1);
  controller_->tick(views_);
  EXPECT_EQ(changes_, changes + 1) << "nothing is left to hear";
  views_.clear();
  restart();
  const auto shown = controller_->show(*id);
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_EQ((*shown)["nodes"][0]["phase"], "aborted");
  EXPECT_EQ((*shown)["nodes"][1]["phase"], "refused");
  EXPECT_EQ((*shown)["history"].size(), 2U) << "the rollout's own states only";
}

TEST_F(ControllerTest, ANodeTakesPartInOneRolloutAtATime) {
  const auto id = controller_->start(request(2, {"a"}), views_);
  ASSERT_TRUE(id);
  const auto second = controller_->start(request(2), views_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(controller_->start(request(2, {"b"}), views_));
  EXPECT_TRUE(controller_->abort_rollout(*id, "no"));
  EXPECT_FALSE(controller_->abort_rollout(*id, "no"));
  EXPECT_EQ(sent_["a"].deployment->action, "abort");
  EXPECT_TRUE(controller_->start(request(2, {"a"}), views_));
}

TEST_F(ControllerTest, RefusesWhatIsNotThere) {
  EXPECT_THAT(controller_->start(request(9), views_).error().message, HasSubstr("release 9 is not on this hub"));
  EXPECT_THAT(controller_->start(request(2, {"x"}), views_).error().message, HasSubstr("'x' has not joined"));
  EXPECT_THAT(controller_->start(request(2, {"a", "a"}), views_).error().message, HasSubstr("twice"));
  EXPECT_EQ(controller_->abort_rollout("r9", "no").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(controller_->drain("x", 5).error().code, ErrorCode::kNotFound);
}

TEST_F(ControllerTest, ANodeThatHasTheReleaseIsLeftAlone) {
  for (auto& [name, view] : views_) {
    view.state.emplace();
    view.state->release = 2;
  }
  const auto id = controller_->start(request(2), views_);
  ASSERT_TRUE(id);
  EXPECT_TRUE(sent_.empty());
  controller_->tick(views_);
  EXPECT_EQ(state_of(*id), "succeeded");
}

TEST_F(ControllerTest, DrainingKeepsTheDeployment) {
  const auto id = controller_->start(request(2, {"a"}), views_);
  ASSERT_TRUE(controller_->drain("a", 500));
  EXPECT_EQ(sent_["a"].drain_at, 500U);
  EXPECT_EQ(sent_["a"].deployment->id, *id);
  EXPECT_EQ(sent_["a"].generation, 2);
}

TEST(RolloutRequestText, IsCheckedFieldByField) {
  const auto read = [](const char* text) { return read_rollout_request(parse_json(text, "test").value()); };
  const auto good =
      read(R"({"release": 3, "nodes": ["a"], "waves": [0.1, 1], "gate": {"min_items": 100}, "soak_items": 50, "gate_seconds": 5})");
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->gate.min_items, 100U);
  EXPECT_EQ(good->limits.gate, 5 * kSecond);
  for (const char* text :
       {"[]", "{}", R"({"release": "3"})", R"({"release": 3, "wave": [1]})", R"({"release": 3, "waves": []})",
        R"({"release": 3, "waves": [0.5]})", R"({"release": 3, "waves": [0.5, 0.5, 1]})", R"({"release": 3, "waves": ["x"]})",
        R"({"release": 3, "nodes": []})", R"({"release": 3, "nodes": ["a/b"]})", R"({"release": 3, "nodes": [1]})",
        R"({"release": 3, "soak_items": 0})", R"({"release": 3, "stage_seconds": 0})", R"({"release": 3, "gate": 5})"}) {
    const auto bad = read(text);
    ASSERT_FALSE(bad) << text;
    EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace moru::fleet
