// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Two inputs, "a" and "b", of items with a device and a value; the options of a test say which values are events.
class RulesTest : public ::testing::Test {
 protected:
  static std::vector<Schema> inputs() {
    Schema schema;
    schema.set({.name = "device", .type = FieldType::kText});
    schema.set({.name = "value", .type = FieldType::kDouble, .unit = "bar"});
    std::vector<Schema> both(2, schema);
    both[0].from = "a";
    both[1].from = "b";
    return both;
  }
  static constexpr std::string_view kEvents =
      "key: [device]\nevents:\n  one: {input: a, where: value == 1}\n  two: {input: b, where: value == 2, keep: [value]}\n"
      "  three: {input: a, where: value == 3}\n";
  static Status try_make(std::string_view options, std::unique_ptr<Stage>& stage, Schema& schema) {
    MORU_ASSIGN_OR_RETURN(stage, testing::make_stage("rules", options));
    MORU_ASSIGN_OR_RETURN(const auto bound, stage->bind(inputs()));
    schema = bound[0];
    return {};
  }
  void make(std::string_view rules, std::string_view more = "") {
    const auto status = try_make(fmt::format("{}rules: {}\n{}", kEvents, rules, more), stage_, schema_);
    ASSERT_TRUE(status) << status.error().message;
  }
  static std::string error_of(std::string_view options) {
    std::unique_ptr<Stage> stage;
    Schema schema;
    const auto status = try_make(options, stage, schema);
    return status ? "" : status.error().message;
  }
  void put(std::size_t input, TimeNs ms, double value, std::string_view device = "x") {
    Item item;
    item.event_time = ms * kMillisecond;
    item.set("device", device);
    item.set("value", value);
    ++put_;
    ASSERT_TRUE(stage_->process_from(input, std::move(item), caught_));
    expect_balanced();
  }
  void to(TimeNs ms) { stage_->watermark(ms * kMillisecond, caught_); }
  void expect_balanced() const { EXPECT_EQ(put_, caught_.used_items + caught_.reasons.size() + stage_->held()); }
  /// "rule device start-end events" of what has come out since the last call.
  std::vector<std::string> out() {
    std::vector<std::string> lines;
    for (const Item& item : caught_.items) {
      EXPECT_EQ(item.event_time, *item.get<std::int64_t>("rule_end"));
      lines.push_back(fmt::format("{} {} {}-{} {}", *item.text("rule"), *item.text("device"),
                                  *item.get<std::int64_t>("rule_start") / kMillisecond, item.event_time / kMillisecond,
                                  *item.get<std::int64_t>("rule_events")));
    }
    caught_.items.clear();
    expect_balanced();
    return lines;
  }
  std::vector<std::string> end() {
    stage_->finish(caught_);
    EXPECT_EQ(stage_->held(), 0U);
    return out();
  }

  std::unique_ptr<Stage> stage_;
  Schema schema_;
  testing::Caught caught_;
  std::uint64_t put_ = 0;
};

TEST_F(RulesTest, FindsASequenceOverTwoInputsInWhateverOrderTheyCome) {
  make("{r: {sequence: [one, two, three], within_ms: 100}}");
  put(1, 50, 2.0);  // the input b is faster
  put(0, 110, 3.0);
  put(0, 10, 1.0);
  put(0, 20, 9.0);  // no event
  EXPECT_THAT(out(), ElementsAre());
  to(111);
  ASSERT_EQ(caught_.items.size(), 1U);
  EXPECT_EQ(*caught_.items[0].get<double>("one_value"), 1.0);
  EXPECT_EQ(*caught_.items[0].get<double>("two_value"), 2.0);
  EXPECT_EQ(*caught_.items[0].get<double>("three_value"), 3.0);
  EXPECT_EQ(schema_.find("two_value")->unit, "bar");
  EXPECT_THAT(out(), ElementsAre("r x 10-110 3"));
  EXPECT_EQ(caught_.used_items, 3U);
  EXPECT_THAT(caught_.reasons, ElementsAre("no event"));
}

TEST_F(RulesTest, ASequenceMustBeOfOneKeyInOrderAndInTime) {
  make("{r: {sequence: [one, two], within_ms: 100}}");
  put(0, 0, 1.0, "x");
  put(1, 10, 2.0, "y");   // another key
  put(1, 200, 2.0, "x");  // too late
  put(0, 300, 1.0, "x");
  put(1, 290, 2.0, "x");  // before it
  put(0, 400, 1.0, "z");
  put(1, 500, 2.0, "z");  // just in time
  EXPECT_THAT(end(), ElementsAre("r z 400-500 2"));
  EXPECT_THAT(caught_.reasons, ElementsAre("no match", "no match", "no match", "no match", "no match"));
}

TEST_F(RulesTest, TheLatestFirstEventCountsAndAMatchBeginsAnew) {
  make("{r: {sequence: [one, two], within_ms: 100}}");
  for (const TimeNs at : {0, 50}) put(0, at, 1.0);
  put(1, 120, 2.0);  // within 100 of the second
  put(1, 130, 2.0);  // of nothing any more
  EXPECT_THAT(end(), ElementsAre("r x 50-120 2"));
  EXPECT_THAT(caught_.reasons, ElementsAre("no match", "no match"));
}

TEST_F(RulesTest, OneEventTakesOneStepOfASequence) {
  make("{r: {sequence: [one, one, one], within_ms: 100}}");
  for (const TimeNs at : {0, 10, 20, 30, 40}) put(0, at, 1.0);
  EXPECT_THAT(end(), ElementsAre("r x 0-20 3"));
}

TEST_F(RulesTest, AnAbsenceIsKnownWhenItsTimeIsOver) {
  make("{r: {after: one, never: two, within_ms: 100}}");
  put(0, 0, 1.0, "x");
  put(0, 10, 1.0, "y");
  put(0, 20, 1.0, "z");
  put(1, 100, 2.0, "x");  // just in time
  put(1, 121, 2.0, "z");
  to(110);
  EXPECT_THAT(out(), ElementsAre()) << "of that very time more may come";
  to(111);
  EXPECT_THAT(out(), ElementsAre("r y 10-110 1"));
  put(0, 130, 1.0, "x");
  EXPECT_THAT(end(), ElementsAre("r z 20-120 1"));
  EXPECT_THAT(caught_.reasons, ElementsAre("no match", "no match", "no match", "ended"));
}

TEST_F(RulesTest, WatchesAHeartbeat) {
  make("{silent: {after: one, never: one, within_ms: 100}}");
  for (const TimeNs at : {0, 90, 180, 400, 450}) put(0, at, 1.0);
  EXPECT_THAT(end(), ElementsAre("silent x 180-280 1"));
}

TEST_F(RulesTest, CountsWithinATime) {
  make("{r: {count: one, at_least: 3, within_ms: 100}}");
  for (const TimeNs at : {0, 90, 180, 190, 195, 300}) put(0, at, 1.0);
  EXPECT_THAT(end(), ElementsAre("r x 90-190 3"));
  EXPECT_EQ(caught_.used_items, 3U);
}

TEST_F(RulesTest, RulesShareEventsAndAnItemIsCountedOnce) {
  make("{s: {sequence: [one, two], within_ms: 100}, c: {count: one, at_least: 2, within_ms: 100}}");
  put(0, 0, 1.0);
  put(0, 10, 1.0);
  put(1, 20, 2.0);
  EXPECT_THAT(end(), ElementsAre("c x 0-10 2", "s x 10-20 2"));
  EXPECT_EQ(caught_.used_items, 3U);
  EXPECT_THAT(caught_.reasons, ElementsAre());
}

TEST_F(RulesTest, MatchesDoNotDependOnTheOrderOfArrival) {
  const auto run = [&](bool b_first) {
    make(
        "{s: {sequence: [one, two], within_ms: 50}, a: {after: one, never: two, within_ms: 50}, c: {count: two, at_least: 4, within_ms: "
        "90}}");
    for (const std::size_t input : b_first ? std::vector<std::size_t>{1, 0} : std::vector<std::size_t>{0, 1}) {
      Rng rng(input + 7);
      for (int i = 0; i < 2000; ++i) {
        const TimeNs at = 2 * i + static_cast<TimeNs>(rng.below(3));
        put(input, at, static_cast<double>(rng.below(4)), rng.below(2) == 0 ? "x" : "y");
      }
    }
    return end();
  };
  const auto first = run(false);
  EXPECT_GT(first.size(), 200U);
  EXPECT_EQ(run(true), first);
}

TEST_F(RulesTest, WhatIsLateOrTooMuchIsCounted) {
  make("{r: {after: one, never: two, within_ms: 1000}}", "max_keys: 2\nmax_items: 4\nmax_items_per_key: 3\n");
  to(100);
  put(0, 99, 1.0);
  for (int i = 0; i < 4; ++i) put(0, 100 + i, 1.0, "x");
  put(0, 100, 1.0, "y");
  put(0, 100, 1.0, "y");
  to(1104);
  EXPECT_EQ(out().size(), 4U);
  EXPECT_EQ(stage_->held(), 0U);
  for (const std::string_view device : {"v", "w", "z"}) put(0, 2000, 1.0, device);  // x and y are forgotten
  Item item;
  item.event_time = std::numeric_limits<TimeNs>::max();
  item.set("device", "y");
  item.set("value", 1.0);
  ++put_;
  ASSERT_TRUE(stage_->process_from(0, std::move(item), caught_));
  EXPECT_THAT(caught_.reasons, ElementsAre("late", "too many items of a key", "too many items", "too many keys", "time out of range"));
  EXPECT_THAT(end(), ElementsAre());
}

TEST_F(RulesTest, MistakesNameTheirLine) {
  const std::string events(kEvents);
  EXPECT_THAT(error_of(events + "rules: {r: {sequence: [one, tow], within_ms: 1}}"),
              HasSubstr("test.yaml:6: found no event 'tow' (did you mean 'two'?)"));
  EXPECT_THAT(error_of(events + "rules: {r: {sequence: [one], within_ms: 1}}"), HasSubstr("sequence of 1 events, expected 2 to 16"));
  EXPECT_THAT(error_of(events + "rules: {r: {after: one, within_ms: 1}}"), HasSubstr("not of one kind"));
  EXPECT_THAT(error_of(events + "rules: {r: {count: one, within_ms: 1}}"), HasSubstr("not of one kind"));
  EXPECT_THAT(error_of(events + "rules: {r: {sequence: [one, two], count: one, at_least: 2, within_ms: 1}}"), HasSubstr("not of one kind"));
  EXPECT_THAT(error_of(events + "rules: {r: {sequence: [one, two]}}"), HasSubstr("within_ms"));
  EXPECT_THAT(error_of(events + "rules: 7"), HasSubstr("expected a map of 1 to 256"));
  EXPECT_THAT(error_of("events: {e: {input: c}}\nrules: {r: {count: e, at_least: 2, within_ms: 1}}"),
              HasSubstr("found input 'c', expected one of"));
  EXPECT_THAT(error_of("events: {e: {input: a}}\nrules: {r: {count: e, at_least: 2, within_ms: 1}}"), HasSubstr("no event of input 'b'"));
  EXPECT_THAT(error_of("events: {e: {input: a, where: valve > 1}}\nrules: {r: {count: e, at_least: 2, within_ms: 1}}"), HasSubstr("valve"));
  EXPECT_THAT(error_of("key: [value]\nevents: {e: {input: a}}\nrules: {r: {count: e, at_least: 2, within_ms: 1}}"),
              HasSubstr("expected int64 or text"));
}

}  // namespace
}  // namespace moru::edge
