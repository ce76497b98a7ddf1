// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class JoinTest : public ::testing::Test {
 protected:
  static std::vector<Schema> inputs() {
    Schema schema;
    schema.set({.name = "device", .type = FieldType::kText});
    schema.set({.name = "value", .type = FieldType::kDouble, .unit = "bar"});
    return {schema, schema};
  }
  void make(std::string_view options) {
    auto made = testing::make_stage("join", options);
    ASSERT_TRUE(made) << made.error().message;
    stage_ = std::move(*made);
    const auto bound = stage_->bind(inputs());
    ASSERT_TRUE(bound) << bound.error().message;
    schema_ = (*bound)[0];
  }
  void put(std::size_t input, TimeNs ms, double value, std::string_view device = "a") {
    Item item;
    item.event_time = ms * kMillisecond;
    item.set("device", device);
    item.set("value", value);
    ++put_;
    ASSERT_TRUE(stage_->process_from(input, std::move(item), caught_));
    expect_balanced();
  }
  void expect_balanced() const { EXPECT_EQ(put_, caught_.used_items + caught_.reasons.size() + stage_->held()); }
  /// "time:value+other" of what has come out since the last call.
  std::vector<std::string> out() {
    std::vector<std::string> lines;
    for (const Item& item : caught_.items) {
      const auto* other = item.get<double>("b_value");
      lines.push_back(fmt::format("{}:{}+{}", item.event_time / kMillisecond, *item.get<double>("value"),
                                  other == nullptr ? std::string("none") : fmt::format("{}", *other)));
    }
    caught_.items.clear();
    expect_balanced();
    return lines;
  }

  std::unique_ptr<Stage> stage_;
  Schema schema_;
  testing::Caught caught_;
  std::uint64_t put_ = 0;
};

TEST_F(JoinTest, TakesTheLastItemNotAfterWhateverCameFirst) {
  make("{within_ms: 100, key: [device], prefixes: [b_]}");
  EXPECT_EQ(schema_.find("b_value")->unit, "bar");
  put(0, 50, 1.0);
  put(1, 60, 20.0);
  put(1, 40, 10.0);  // older, and later
  put(1, 45, 99.0, "b");
  put(0, 60, 2.0);
  stage_->watermark(49 * kMillisecond, caught_);
  EXPECT_THAT(out(), ElementsAre());
  stage_->watermark(70 * kMillisecond, caught_);
  EXPECT_THAT(out(), ElementsAre("50:1+10", "60:2+20"));
  put(0, 160, 3.0);
  put(0, 161, 4.0);
  stage_->finish(caught_);
  EXPECT_THAT(out(), ElementsAre("160:3+20"));
  EXPECT_THAT(caught_.reasons, ElementsAre("no match", "no match")) << "161, and the item of b";
  EXPECT_EQ(stage_->held(), 0U);
}

TEST_F(JoinTest, ItemsOfOneTimeAllCount) {
  make("{within_ms: 100, key: [device], prefixes: [b_]}");
  put(0, 50, 1.0);
  stage_->watermark(50 * kMillisecond, caught_);
  EXPECT_THAT(out(), ElementsAre());
  put(1, 50, 7.0);
  put(0, 50, 2.0);
  stage_->watermark(51 * kMillisecond, caught_);
  EXPECT_THAT(out(), ElementsAre("50:1+7", "50:2+7"));
}

TEST_F(JoinTest, OptionalOnesGoOutAlone) {
  make("{within_ms: 100, key: [device], prefixes: [b_], optional: true}");
  put(0, 50, 1.0);
  stage_->finish(caught_);
  EXPECT_THAT(out(), ElementsAre("50:1+none"));
}

TEST_F(JoinTest, LateOnesAndThoseBeyondTheLimitAreDropped) {
  make("{within_ms: 100, key: [device], prefixes: [b_], max_items: 2}");
  stage_->watermark(100 * kMillisecond, caught_);
  put(0, 99, 1.0);
  put(1, 90, 1.0);
  put(1, 101, 1.0);
  put(0, 102, 1.0);
  put(0, 103, 1.0);
  EXPECT_THAT(caught_.reasons, ElementsAre("late", "late", "too many items"));
}

TEST_F(JoinTest, ForgetsWhatNobodyCanNeedAnyMore) {
  make("{within_ms: 100, key: [device], prefixes: [b_]}");
  for (TimeNs ms = 1; ms <= 5000; ms += 5) {
    put(1, ms, 1.0);
    stage_->watermark(ms * kMillisecond, caught_);
    ASSERT_LE(stage_->held(), 10U);
  }
  expect_balanced();
}

TEST_F(JoinTest, MistakesAreFoundBeforeAnythingRuns) {
  const auto mistake = [](std::string_view options) {
    const auto stage = testing::make_stage("join", options);
    if (!stage) return stage.error().message;
    const auto bound = (*stage)->bind(inputs());
    return bound ? std::string("no mistake") : bound.error().message;
  };
  EXPECT_THAT(mistake("{within_ms: 1, prefixes: []}"), HasSubstr("found 0 prefixes for 2 inputs"));
  EXPECT_THAT(mistake("{within_ms: 1, key: [device], prefixes: ['']}"), HasSubstr("found field 'value' from two inputs"));
  EXPECT_THAT(mistake("{within_ms: 1, key: [devise], prefixes: [b_]}"), HasSubstr("did you mean 'device'?"));
}

}  // namespace
}  // namespace moru::edge
