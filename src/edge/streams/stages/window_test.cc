// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/streams/aggregate.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WindowTest : public ::testing::Test {
 protected:
  static Schema input() {
    Schema schema;
    schema.set({.name = "device", .type = FieldType::kText});
    schema.set({.name = "value", .type = FieldType::kDouble, .unit = "degC"});
    return schema;
  }
  void make(std::string_view options) {
    auto made = testing::make_stage("window", options);
    ASSERT_TRUE(made) << made.error().message;
    stage_ = std::move(*made);
    const std::vector<Schema> inputs = {input()};
    const auto bound = stage_->bind(inputs);
    ASSERT_TRUE(bound) << bound.error().message;
    schemas_ = *bound;
  }
  static std::string mistake(std::string_view options) {
    auto made = testing::make_stage("window", options);
    if (!made) return made.error().message;
    const std::vector<Schema> inputs = {input()};
    const auto bound = (*made)->bind(inputs);
    return bound ? "no mistake" : bound.error().message;
  }
  void put(TimeNs ms, double value, std::string_view device = "a") {
    Item item;
    item.event_time = ms * kMillisecond;
    item.emitted = 1;
    item.set("device", device);
    item.set("value", value);
    ++put_;
    ASSERT_TRUE(stage_->process(std::move(item), caught_));
    EXPECT_EQ(put_, caught_.used_items + caught_.reasons.size() + stage_->held());
  }
  void watermark(TimeNs ms) { stage_->watermark(ms * kMillisecond, caught_); }
  /// What has come out since the last call: "a 0-1000 n=3 v=2.5"
  std::vector<std::string> out() {
    EXPECT_EQ(put_, caught_.used_items + caught_.reasons.size() + stage_->held());
    std::vector<std::string> lines;
    for (const Item& item : caught_.items) {
      lines.push_back(
          fmt::format("{} {}-{} n={} v={}", item.text("device").value_or(""), *item.get<std::int64_t>("window_start") / kMillisecond,
                      *item.get<std::int64_t>("window_end") / kMillisecond, *item.get<std::int64_t>("n"), *item.get<double>("v")));
      EXPECT_EQ(item.event_time, *item.get<std::int64_t>("window_end"));
      EXPECT_EQ(item.emitted, 1);
    }
    caught_.items.clear();
    return lines;
  }

  std::unique_ptr<Stage> stage_;
  std::vector<Schema> schemas_;
  testing::Caught caught_;
  std::uint64_t put_ = 0;
};

TEST_F(WindowTest, TumblingOnesCloseWhenTimeHasPassedTheirEnd) {
  make("{size_ms: 1000, key: [device], set: {n: count(), v: mean(value)}}");
  put(0, 1.0);
  put(999, 2.0);
  put(500, 6.0);
  put(100, 4.0, "b");
  watermark(999);
  EXPECT_THAT(out(), ElementsAre());
  put(1000, 9.0);
  watermark(1000);
  EXPECT_THAT(out(), ElementsAre("a 0-1000 n=3 v=3", "b 0-1000 n=1 v=4"));
  stage_->finish(caught_);
  EXPECT_THAT(out(), ElementsAre("a 1000-2000 n=1 v=9"));
  EXPECT_EQ(stage_->held(), 0U);
  EXPECT_EQ(schemas_[0].find("v")->unit, "degC");
}

TEST_F(WindowTest, TimesBeforeTheEpochFallIntoTheirWindow) {
  make("{size_ms: 1000, set: {n: count(), v: sum(value)}}");
  put(-1, 1.0);
  put(-1000, 2.0);
  stage_->finish(caught_);
  EXPECT_THAT(out(), ElementsAre(" -1000-0 n=2 v=3"));
}

TEST_F(WindowTest, LateItemsAreDroppedOrGoOutByTheirPort) {
  make("{size_ms: 1000, set: {n: count(), v: sum(value)}}");
  watermark(2000);
  put(1999, 1.0);
  ASSERT_EQ(caught_.others.size(), 1U);
  EXPECT_EQ(*caught_.others[0].get<double>("value"), 1.0);
  caught_.read_all = false;
  put(1999, 1.0);
  EXPECT_THAT(caught_.reasons, ElementsAre("late"));
  put(2000, 1.0);
  EXPECT_EQ(stage_->held(), 1U);
}

TEST_F(WindowTest, AnItemIsInEverySlidingWindowAndCountedOnce) {
  make("{kind: sliding, size_ms: 1000, step_ms: 500, set: {n: count(), v: sum(value)}}");
  put(700, 1.0);
  put(1200, 2.0);
  watermark(1499);
  EXPECT_THAT(out(), ElementsAre(" 0-1000 n=1 v=1"));
  EXPECT_EQ(caught_.used_items, 0U) << "both are in later windows still";
  put(1100, 4.0);  // 500-1500 and 1000-2000 are open
  stage_->finish(caught_);
  EXPECT_THAT(out(), ElementsAre(" 500-1500 n=3 v=7", " 1000-2000 n=2 v=6"));
  EXPECT_EQ(caught_.used_items, 3U);
}

TEST_F(WindowTest, SessionsEndAfterTheGapAndAnItemBetweenMakesTwoOne) {
  make("{kind: session, gap_ms: 100, key: [device], set: {n: count(), v: max(value)}}");
  put(0, 1.0);
  put(90, 2.0);
  put(250, 3.0);
  watermark(189);
  EXPECT_THAT(out(), ElementsAre());
  watermark(190);
  EXPECT_THAT(out(), ElementsAre("a 0-190 n=2 v=2"));
  put(420, 4.0);
  put(335, 5.0);  // 250 .. 350 and 420 .. 520
  stage_->finish(caught_);
  EXPECT_THAT(out(), ElementsAre("a 250-520 n=3 v=5"));
}

TEST_F(WindowTest, CountOnesCloseByTheirItems) {
  make("{kind: count, count: 3, key: [device], set: {n: count(), v: first(value)}}");
  put(10, 1.0);
  put(5, 2.0);
  put(20, 7.0, "b");
  EXPECT_THAT(out(), ElementsAre());
  put(30, 3.0);
  EXPECT_THAT(out(), ElementsAre("a 5-30 n=3 v=2"));
  stage_->finish(caught_);
  EXPECT_THAT(out(), ElementsAre("b 20-20 n=1 v=7"));
}

TEST_F(WindowTest, WhatCannotBeSummedUpIsDroppedWithItsReason) {
  make("{size_ms: 1000, key: [device], max_keys: 1, set: {n: count(), v: sum(value)}}");
  put(1, 1.0);
  put(1, 1.0, "b");
  put(1, std::nan(""));
  Item bare;
  bare.set("device", "a");
  ++put_;
  ASSERT_TRUE(stage_->process(std::move(bare), caught_));
  Item far;
  far.set("device", "a");
  far.set("value", 1.0);
  far.event_time = INT64_MAX - 5;
  ++put_;
  ASSERT_TRUE(stage_->process(std::move(far), caught_));
  EXPECT_THAT(caught_.reasons, ElementsAre("too many keys", "not a number", "field missing", "time out of range"));
}

TEST_F(WindowTest, MistakesAreFoundBeforeAnythingRuns) {
  EXPECT_THAT(mistake("{size_ms: 1000, set: {v: meen(value)}}"), HasSubstr("did you mean 'mean'?"));
  EXPECT_THAT(mistake("{size_ms: 1000, set: {v: mean(valu)}}"), HasSubstr("did you mean 'value'?"));
  EXPECT_THAT(mistake("{size_ms: 1000, set: {v: mean(device)}}"), HasSubstr("of type text, expected a number"));
  EXPECT_THAT(mistake("{size_ms: 1000, key: [value], set: {n: count()}}"), HasSubstr("found key 'value' of type double"));
  EXPECT_THAT(mistake("{size_ms: 1000, set: {v: 'quantile(value, 2)'}}"), HasSubstr("expected a number from 0 to 1"));
  EXPECT_THAT(mistake("{kind: sliding, size_ms: 1000, set: {n: count()}}"), HasSubstr("found no 'step_ms' of a sliding window"));
  EXPECT_THAT(mistake("{size_ms: 1000, count: 3, set: {n: count()}}"), HasSubstr("found a 'count' of a tumbling window"));
  EXPECT_THAT(mistake("{kind: sliding, size_ms: 1000, step_ms: 2000, set: {n: count()}}"), HasSubstr("expected a step"));
  EXPECT_THAT(mistake("{size_ms: 1000, set: {}}"), HasSubstr("expected a map of fields and aggregates"));
}

TEST(Summary, IsThatOfTheValues) {
  const auto value = [](const Summary& summary, std::string_view text) { return summary.value(*Aggregate::parse(text, "")); };
  Summary low;
  Summary high;
  Summary all;
  const std::vector<double> values = {4.0, 1.0, 3.0, 10.0, 2.0, 1e16, 1.0, -1e16};
  for (std::size_t i = 0; i < values.size(); ++i) {
    (i < 3 ? low : high).add(values[i], static_cast<TimeNs>(i), true);
    all.add(values[i], static_cast<TimeNs>(i), true);
  }
  EXPECT_EQ(value(all, "sum(x)"), 21.0) << "no digit is lost beside 1e16";
  low.merge(high);
  for (const auto* text : {"count()", "sum(x)", "mean(x)", "min(x)", "max(x)", "first(x)", "last(x)", "quantile(x, 0.5)"}) {
    EXPECT_EQ(value(low, text), value(all, text)) << text;
  }
  Summary plain;
  for (const double x : {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0}) plain.add(x, 0, true);
  EXPECT_NEAR(value(plain, "std(x)"), std::sqrt(32.0 / 7.0), 1e-12);
  EXPECT_EQ(value(plain, "quantile(x, 0.25)"), 4.0);
  EXPECT_EQ(value(plain, "quantile(x, 1)"), 9.0);
  EXPECT_TRUE(std::isnan(value(Summary(), "mean(x)")));
}

}  // namespace
}  // namespace moru::edge
