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

/// Keeps what comes by each port as "port: state severity reason start-time items", times in ms.
class Ports final : public Output {
 public:
  void emit(Item&& item) override { emit_to(0, std::move(item)); }
  void emit_to(std::size_t port, Item&& item) override {
    static constexpr std::array<std::string_view, 5> kNames = {"out", "info", "warning", "critical", "escalated"};
    lines.push_back(fmt::format("{}: {} {} {} {}-{} {}", kNames.at(port), *item.text("alert"), *item.text("severity"),
                                item.text("alert_reason")->empty() ? "-" : *item.text("alert_reason"),
                                *item.get<std::int64_t>("alert_start") / kMillisecond, item.event_time / kMillisecond,
                                *item.get<std::int64_t>("alert_items")));
    last = std::move(item);
  }
  void drop(std::string_view reason) override { reasons.emplace_back(reason); }
  void used(std::uint64_t items) override { used_items += items; }
  bool is_read(std::size_t port) const override { return read.at(port); }
  std::array<bool, 5> read = {true, false, false, false, false};
  std::vector<std::string> lines;
  std::vector<std::string> reasons;
  std::uint64_t used_items = 0;
  Item last;
};

class AlertTest : public ::testing::Test {
 protected:
  static std::vector<Schema> inputs() {
    Schema schema;
    schema.set({.name = "device", .type = FieldType::kText});
    schema.set({.name = "value", .type = FieldType::kDouble, .unit = "bar"});
    schema.from = "values";
    Schema acks;
    acks.set({.name = "device", .type = FieldType::kText});
    acks.set({.name = "by", .type = FieldType::kText});
    acks.from = "acks";
    return {schema, acks};
  }
  static Status try_make(std::string_view options, std::unique_ptr<Stage>& stage) {
    MORU_ASSIGN_OR_RETURN(stage, testing::make_stage("alert", options));
    const auto bound = stage->bind(inputs());
    if (!bound) return fail(bound.error());
    return {};
  }
  void make(std::string_view options) {
    const auto status = try_make(fmt::format("{{key: [device], when: value > 5, acknowledge: {{input: acks, where: by != ''}}, "
                                             "severity: \"if(value > 9, 'critical', 'warning')\"{}}}",
                                             options),
                                 stage_);
    ASSERT_TRUE(status) << status.error().message;
  }
  static std::string error_of(std::string_view options) {
    std::unique_ptr<Stage> stage;
    const auto status = try_make(options, stage);
    return status ? "" : status.error().message;
  }
  void put(TimeNs ms, double value, std::string_view device = "x") {
    Item item;
    item.event_time = ms * kMillisecond;
    item.set("device", device);
    item.set("value", value);
    give(0, std::move(item));
  }
  void acknowledge(TimeNs ms, std::string_view by = "me", std::string_view device = "x") {
    Item item;
    item.event_time = ms * kMillisecond;
    item.set("device", device);
    item.set("by", by);
    give(1, std::move(item));
  }
  void give(std::size_t input, Item item) {
    ++put_;
    ASSERT_TRUE(stage_->process_from(input, std::move(item), out_));
    expect_balanced();
  }
  void to(TimeNs ms) {
    stage_->watermark(ms * kMillisecond, out_);
    expect_balanced();
  }
  void end() {
    stage_->finish(out_);
    EXPECT_EQ(stage_->held(), 0U);
    expect_balanced();
  }
  void expect_balanced() const { EXPECT_EQ(put_, out_.used_items + out_.reasons.size() + stage_->held()); }

  std::unique_ptr<Stage> stage_;
  Ports out_;
  std::uint64_t put_ = 0;
};

TEST_F(AlertTest, IsRaisedOnceForEachKeyAndResolved) {
  make("");
  for (const TimeNs at : {0, 10, 20}) put(at, 6.0);
  put(15, 7.0, "y");
  put(30, 1.0);
  put(40, 1.0);
  put(50, 6.0);
  end();
  EXPECT_THAT(out_.lines, ElementsAre("out: raised warning - 0-0 1", "out: raised warning - 15-15 1",
                                      "out: resolved warning cleared 0-30 3", "out: raised warning - 50-50 1"));
  EXPECT_THAT(out_.reasons, ElementsAre("grouped", "grouped", "no alert"));
}

TEST_F(AlertTest, MustLastBeforeItIsRaised) {
  make(", hold_ms: 100");
  put(0, 6.0);
  put(50, 1.0);
  put(60, 6.0);
  put(70, 7.0);
  to(160);
  EXPECT_THAT(out_.lines, ElementsAre()) << "of that very time an item may come that ends it";
  to(161);
  EXPECT_THAT(out_.lines, ElementsAre("out: raised warning - 60-160 2"));
  EXPECT_EQ(*out_.last.get<double>("value"), 7.0);
  put(200, 1.0);
  put(300, 6.0);
  end();
  EXPECT_THAT(out_.reasons, ElementsAre("no alert", "too short", "grouped", "ended"));
}

TEST_F(AlertTest, IsResolvedWhenItIsGoodForATimeOrNothingComes) {
  make(", clear_ms: 100, silent_ms: 500");
  put(0, 6.0);
  put(50, 1.0);
  put(140, 6.0);  // bad again before it was over
  put(200, 1.0);
  put(250, 1.0);
  put(1000, 6.0);
  to(2000);
  EXPECT_THAT(out_.lines, ElementsAre("out: raised warning - 0-0 1", "out: resolved warning cleared 0-300 2",
                                      "out: raised warning - 1000-1000 1", "out: resolved warning silent 1000-1500 1"));
}

TEST_F(AlertTest, EscalatesUntilSomebodyAcknowledges) {
  make(", escalate_ms: 100, lasting_ms: 300");
  put(0, 6.0, "x");
  put(0, 6.0, "y");
  acknowledge(50, "", "y");  // nobody
  acknowledge(60, "me", "y");
  acknowledge(70, "me", "y");
  acknowledge(70, "me", "z");
  to(1000);
  EXPECT_THAT(out_.lines, ElementsAre("out: raised warning - 0-0 1", "out: raised warning - 0-0 1", "out: acknowledged warning - 0-60 1",
                                      "out: escalated warning not acknowledged 0-100 1", "out: escalated warning lasting 0-300 1",
                                      "out: escalated warning lasting 0-300 1"));
  EXPECT_THAT(out_.reasons, ElementsAre("filtered", "no alert", "no alert"));
}

TEST_F(AlertTest, GoesByTheReadPortsAndTellsAllOfThemOfItsEnd) {
  make(", escalate_ms: 100");
  out_.read = {true, false, false, true, true};
  put(0, 6.0);
  put(10, 9.5);
  put(20, 6.0);
  to(200);
  put(300, 1.0);
  end();
  EXPECT_THAT(out_.lines, ElementsAre("out: raised warning - 0-0 1", "critical: worse critical severity 0-10 2",
                                      "escalated: escalated critical not acknowledged 0-100 3", "out: resolved critical cleared 0-300 3",
                                      "critical: resolved critical cleared 0-300 3", "escalated: resolved critical cleared 0-300 3"));
}

TEST_F(AlertTest, WhatNobodyReadsIsCounted) {
  make("");
  out_.read = {false, false, false, true, false};
  put(0, 6.0);
  put(10, 1.0);
  end();
  EXPECT_THAT(out_.lines, ElementsAre());
  EXPECT_THAT(out_.reasons, ElementsAre("not read", "not read"));
}

TEST_F(AlertTest, IsQuietForATimeAfterIt) {
  make(", quiet_ms: 100");
  put(0, 6.0);
  put(10, 1.0);
  put(50, 6.0);
  put(60, 1.0);
  put(120, 6.0);
  end();
  EXPECT_THAT(out_.lines,
              ElementsAre("out: raised warning - 0-0 1", "out: resolved warning cleared 0-10 1", "out: raised warning - 120-120 1"));
  EXPECT_THAT(out_.reasons, ElementsAre("held off", "no alert"));
}

TEST_F(AlertTest, SaysItInWords) {
  make(", message: \"{device} {{at}} {value} bar: {severity}\"");
  put(0, 6.25);
  end();
  EXPECT_EQ(out_.last.text("message"), "x {at} 6.25 bar: warning");
}

TEST_F(AlertTest, GivesTheSameWhicheverInputIsFaster) {
  const auto run = [&](bool acks_first) {
    make(", hold_ms: 3, clear_ms: 5, escalate_ms: 40, lasting_ms: 90, quiet_ms: 20");
    out_.lines.clear();
    for (const bool acks : {acks_first, !acks_first}) {
      Rng rng(acks ? 3 : 4);
      for (int i = 0; i < 2000; ++i) {
        const std::string device = rng.below(2) == 0 ? "x" : "y";
        const TimeNs at = 2 * i + static_cast<TimeNs>(rng.below(3));
        if (!acks) {
          put(at, static_cast<double>(rng.below(4) == 0 ? 1 : 6), device);
        } else if (rng.below(50) == 0) {
          acknowledge(at, "me", device);
        }
      }
    }
    end();
    return out_.lines;
  };
  const auto first = run(false);
  EXPECT_GT(first.size(), 100U);
  EXPECT_EQ(run(true), first);
}

TEST_F(AlertTest, WhatIsLateWrongOrTooMuchIsCounted) {
  make(", max_keys: 1, max_items: 3");
  to(100);
  put(99, 6.0);
  put(100, 6.0);
  put(101, 6.0, "y");
  put(101, 1.0, "y");
  put(102, 6.0, "z");
  to(200);
  Item item;
  item.event_time = 300 * kMillisecond;
  item.set("device", "x");
  give(0, std::move(item));
  EXPECT_THAT(out_.reasons, ElementsAre("late", "too many items", "too many keys", "no alert", "field missing"));
  auto stage = testing::make_stage("alert", "{severity: \"if(value > 9, 'bad', 'info')\"}");
  ASSERT_TRUE(stage && (*stage)->bind(std::vector{inputs()[0]}));
  Item bad;
  bad.set("value", 10.0);
  out_.reasons.clear();
  ASSERT_TRUE((*stage)->process_from(0, std::move(bad), out_));
  EXPECT_THAT(out_.reasons, ElementsAre("unknown severity"));
}

TEST_F(AlertTest, MistakesAreFoundBeforeItRuns) {
  EXPECT_THAT(error_of("{key: [device], acknowledge: {input: ack}}"), HasSubstr("found input 'ack' (did you mean 'acks'?)"));
  EXPECT_THAT(error_of("{key: [value]}"), HasSubstr("expected int64 or text"));
  EXPECT_THAT(error_of("{key: [device], severity: 3, acknowledge: {input: acks}}"), HasSubstr("found a number as the severity"));
  EXPECT_THAT(error_of("{key: [device], when: device, acknowledge: {input: acks}}"), HasSubstr("found a text as the condition"));
  EXPECT_THAT(error_of("{key: [device], acknowledge: {input: acks}, message: \"{valeu}\"}"), HasSubstr("did you mean 'value'"));
  EXPECT_THAT(error_of("{key: [device], acknowledge: {input: acks}, message: \"a } b\"}"), HasSubstr("found a '}' alone"));
  EXPECT_THAT(error_of("{key: [device], holds_ms: 3}"), HasSubstr("did you mean 'hold_ms'"));
}

}  // namespace
}  // namespace moru::edge
