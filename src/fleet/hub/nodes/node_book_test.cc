// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/nodes/node_book.h"

#include <gmock/gmock.h>

#include "core/json.h"

namespace moru::fleet {
namespace {

class NodeBookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-nodes");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    auto store = Store::open(folder_->path(), clock_);
    ASSERT_TRUE(store);
    store_ = std::move(*store);
    ASSERT_TRUE(store_->add_token("t", "s", "", clock_.wall_now() + kSecond));
    ASSERT_EQ(store_->redeem_token({"t", "s", "a", "r"}).value(), TokenOutcome::kAccepted);
  }
  std::string state(TimeNs time, const std::string& node = "a") {
    wire::NodeState state;
    state.node = node;
    state.time = time;
    state.release = 4;
    state.items = 100;
    state.items_per_second = 50;
    return wire::write(state);
  }

  std::optional<TempFolder> folder_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
};

TEST_F(NodeBookTest, KeepsTheLastStateAcrossARestart) {
  {
    NodeBook book(*store_, clock_);
    ASSERT_TRUE(book.load());
    EXPECT_TRUE(book.show("a").value()["state"].is_null());
    ASSERT_TRUE(book.take_state("a", state(5)));
    ASSERT_TRUE(book.take_online("a", true));
    EXPECT_EQ(book.totals().online, 1U);
    EXPECT_EQ(book.totals().items_per_second, 50);
    ASSERT_TRUE(book.save());
  }
  NodeBook book(*store_, clock_);
  ASSERT_TRUE(book.load());
  const Json node = book.show("a").value();
  EXPECT_EQ(node["state"]["release"], 4);
  EXPECT_EQ(node["online"], false);
  EXPECT_EQ(node["last_seen"], clock_.wall_now());
}

TEST_F(NodeBookTest, ARepeatedStateIsNoSignOfLife) {
  NodeBook book(*store_, clock_);
  ASSERT_TRUE(book.load());
  ASSERT_TRUE(book.take_state("a", state(5)));
  const TimeNs seen = clock_.wall_now();
  clock_.advance(kSecond);
  ASSERT_TRUE(book.take_state("a", state(5)));
  EXPECT_EQ(book.show("a").value()["last_seen"], seen);
  ASSERT_TRUE(book.take_state("a", state(6)));
  EXPECT_EQ(book.show("a").value()["last_seen"], seen + kSecond);
}

TEST_F(NodeBookTest, ANodeThatFallsSilentIsOffline) {
  NodeBook book(*store_, clock_);
  ASSERT_TRUE(book.load());
  ASSERT_TRUE(book.take_online("a", true));
  ASSERT_TRUE(book.take_state("a", state(5)));
  clock_.advance(14 * kSecond);
  EXPECT_EQ(book.show("a").value()["online"], true);
  ASSERT_TRUE(book.take_state("a", state(5)));
  clock_.advance(kSecond);
  EXPECT_EQ(book.show("a").value()["online"], false);
  EXPECT_FALSE(book.views()["a"].online);
  EXPECT_EQ(book.totals().online, 0U);
  ASSERT_TRUE(book.take_state("a", state(6)));
  EXPECT_EQ(book.show("a").value()["online"], true);
}

TEST_F(NodeBookTest, RefusesStrangersAndOtherNames) {
  NodeBook book(*store_, clock_);
  ASSERT_TRUE(book.load());
  EXPECT_EQ(book.take_state("b", state(5, "b")).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(book.take_state("a", state(5, "b")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(book.take_state("a", "{").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(book.take_online("b", true).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace moru::fleet
