// SPDX-License-Identifier: Apache-2.0
// The stages that handle one record at a time: synthetic, filter, map, select, deduplicate, rate_limit, threshold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::vector<Schema> inputs() {
  Schema schema;
  schema.set({.name = "device", .type = FieldType::kText});
  schema.set({.name = "value", .type = FieldType::kDouble, .unit = "degC"});
  return {schema};
}

Item reading(double value, std::string_view device = "a") {
  Item item;
  item.set("device", device);
  item.set("value", value);
  return item;
}

std::unique_ptr<Stage> bound(std::string_view name, std::string_view options, std::vector<Schema>* out = nullptr) {
  auto stage = testing::make_stage(name, options);
  EXPECT_TRUE(stage) << stage.error().message;
  if (!stage) return nullptr;
  const auto schemas = (*stage)->bind(inputs());
  EXPECT_TRUE(schemas) << schemas.error().message;
  if (out != nullptr && schemas) *out = *schemas;
  return std::move(*stage);
}

std::string mistake(std::string_view name, std::string_view options) {
  const auto stage = testing::make_stage(name, options);
  if (!stage) return stage.error().message;
  const auto schemas = (*stage)->bind(inputs());
  return schemas ? "no mistake" : schemas.error().message;
}

TEST(Filter, SendsItemsByItsTwoPortsAndDropsWhatCannotBeTold) {
  const auto stage = bound("filter", "{where: value > 20}");
  testing::Caught caught;
  ASSERT_TRUE(stage->process(reading(21.0), caught));
  ASSERT_TRUE(stage->process(reading(20.0), caught));
  EXPECT_EQ(caught.items.size(), 1U);
  EXPECT_EQ(caught.others.size(), 1U);
  caught.read_all = false;
  ASSERT_TRUE(stage->process(reading(20.0), caught));
  ASSERT_TRUE(stage->process(Item(), caught));
  EXPECT_THAT(caught.reasons, ElementsAre("filtered", "field missing"));
}

TEST(Filter, ItsMistakesHaveALine) {
  EXPECT_THAT(mistake("filter", "{where: valeu > 20}"), HasSubstr("test.yaml:1: column 1 of 'valeu > 20': found no field 'valeu'"));
  EXPECT_THAT(mistake("filter", "{where: device}"), HasSubstr("found a text as the condition"));
  EXPECT_THAT(mistake("filter", "{}"), HasSubstr("no field 'where'"));
}

TEST(Map, SetsFieldsThatLaterOnesSee) {
  std::vector<Schema> schemas;
  const auto stage = bound("map", "{set: {f: value * 1.8 + 32, hot: f > 100, name: device, value: int(value)}}", &schemas);
  EXPECT_EQ(schemas[0].find("hot")->type, FieldType::kInt64);
  EXPECT_EQ(schemas[0].find("name")->type, FieldType::kText);
  EXPECT_EQ(schemas[0].find("value")->type, FieldType::kInt64);
  testing::Caught caught;
  ASSERT_TRUE(stage->process(reading(100.0), caught));
  ASSERT_EQ(caught.items.size(), 1U);
  EXPECT_EQ(*caught.items[0].get<double>("f"), 212.0);
  EXPECT_EQ(*caught.items[0].get<std::int64_t>("hot"), 1);
  EXPECT_EQ(caught.items[0].text("name"), "a");
  EXPECT_EQ(*caught.items[0].get<std::int64_t>("value"), 100);
  ASSERT_TRUE(stage->process(reading(1e300), caught));
  EXPECT_THAT(caught.reasons, ElementsAre("integer overflow"));
}

TEST(Map, ItsMistakesHaveALine) {
  EXPECT_THAT(mistake("map", "{set: {}}"), HasSubstr("expected a map of fields and expressions"));
  EXPECT_THAT(mistake("map", "{set: {a.b: 1}}"), HasSubstr("expected a field name without a dot"));
  EXPECT_THAT(mistake("map", "{set: {f: value +}}"), HasSubstr("test.yaml:1: column 8 of 'value +'"));
}

TEST(Select, KeepsFieldsAndTheirTypes) {
  std::vector<Schema> schemas;
  const auto stage = bound("select", "{fields: [value]}", &schemas);
  EXPECT_THAT(schemas[0].names(), ElementsAre("value"));
  testing::Caught caught;
  ASSERT_TRUE(stage->process(reading(1.0), caught));
  EXPECT_EQ(caught.items[0].fields.size(), 1U);
  EXPECT_THAT(mistake("select", "{fields: [valu]}"), HasSubstr("did you mean 'value'?"));
  EXPECT_THAT(mistake("select", "{fields: [value, value]}"), HasSubstr("found field 'value' twice"));
}

Item at(TimeNs ms, double value, std::string_view device = "a") {
  Item item = reading(value, device);
  item.event_time = ms * kMillisecond;
  return item;
}

TEST(Deduplicate, DropsTheSameKeyWithinTheTimeEitherWay) {
  const auto stage = bound("deduplicate", "{key: [device], within_ms: 100, max_keys: 2}");
  testing::Caught caught;
  for (const TimeNs ms : {1000, 1100, 950, 1101, 1000}) ASSERT_TRUE(stage->process(at(ms, 1.0), caught));
  EXPECT_EQ(caught.items.size(), 3U) << "1000, 1101, and the one that comes more than 100 ms too early";
  EXPECT_THAT(caught.reasons, ElementsAre("duplicate", "duplicate"));
  ASSERT_TRUE(stage->process(at(1102, 1.0, "b"), caught));
  ASSERT_TRUE(stage->process(at(1103, 1.0, "c"), caught));
  EXPECT_EQ(caught.reasons.back(), "too many keys");
  ASSERT_TRUE(stage->process(at(5000, 1.0, "c"), caught)) << "the others are forgotten by now";
  EXPECT_EQ(caught.items.size(), 5U);
  EXPECT_THAT(mistake("deduplicate", "{key: [devise], within_ms: 1}"), HasSubstr("did you mean 'device'?"));
  EXPECT_THAT(mistake("deduplicate", "{key: [value], within_ms: 1}"), HasSubstr("of type double degC, expected int64 or text"));
}

TEST(Deduplicate, WhatWasLostBehindItIsNoDuplicateWhenItComesAgain) {
  std::vector<std::pair<std::uint64_t, Outcome>> told;
  const auto book = std::make_shared<ReceiptBook>([&](std::uint64_t number, Outcome outcome) { told.emplace_back(number, outcome); });
  const auto stage = bound("deduplicate", "{key: [device], within_ms: 100}");
  testing::Caught caught;
  const auto send = [&](std::uint64_t number) {
    Item item = at(1000, 1.0);
    item.receipt = book->issue(number);
    ASSERT_TRUE(stage->process(std::move(item), caught));
  };
  send(1);
  send(2);
  EXPECT_THAT(caught.reasons, ElementsAre("duplicate"));
  EXPECT_TRUE(told.empty()) << "the first is not stored yet";
  caught.items[0].receipt.revoke();
  caught.items.clear();
  EXPECT_THAT(told, UnorderedElementsAre(Pair(1U, Outcome::kAgain), Pair(2U, Outcome::kAgain)));
  told.clear();
  send(1);
  ASSERT_EQ(caught.items.size(), 1U);
  send(2);
  caught.items.clear();
  EXPECT_THAT(told, UnorderedElementsAre(Pair(1U, Outcome::kDone), Pair(2U, Outcome::kDone)));
  send(3);
  EXPECT_TRUE(caught.items.empty());
  EXPECT_THAT(told.back(), Pair(3U, Outcome::kDone));
}

TEST(RateLimit, LetsABurstAndThenTheRatePass) {
  const auto stage = bound("rate_limit", "{rate_hz: 10, burst: 3, key: [device]}");
  testing::Caught caught;
  for (TimeNs ms = 0; ms < 1000; ms += 10) ASSERT_TRUE(stage->process(at(ms, 1.0), caught));
  EXPECT_EQ(caught.items.size(), 3U + 9U);
  EXPECT_EQ(caught.reasons.size(), 88U);
  ASSERT_TRUE(stage->process(at(0, 1.0, "b"), caught)) << "a key of its own, and an old time";
  EXPECT_EQ(caught.items.size(), 13U);
}

TEST(Threshold, HoldsItsStateBetweenTheLimits) {
  const auto states = [](std::string_view options, const std::vector<double>& values) {
    const auto stage = bound("threshold", options);
    testing::Caught caught;
    TimeNs ms = 0;
    for (const double value : values) EXPECT_TRUE(stage->process(at(ms += 10, value), caught));
    std::string text;
    for (const Item& item : caught.items) text += *item.get<std::int64_t>("alert") != 0 ? '1' : '0';
    return text;
  };
  const std::vector<double> values = {1, 9, 10, 9, 8, 7, 9, 12, 3};
  EXPECT_EQ(states("{field: value, on: 10, off: 8}", values), "001110010");
  EXPECT_EQ(states("{field: value, on: 10, off: 8, only_changes: true}", values), "1010");
  EXPECT_EQ(states("{field: value, on: 10, off: 10}", {9, 10, 10, 9}), "0110");
  EXPECT_EQ(states("{field: value, on: 2, off: 4}", {5, 2, 3, 4, 5}), "01110") << "low is bad";
  EXPECT_EQ(states("{field: value, on: 10, off: 10, hold_ms: 20}", {11, 11, 9, 11, 11, 11, 9, 9, 9}), "000001110");
  EXPECT_THAT(mistake("threshold", "{field: device, on: 1, off: 0}"), HasSubstr("of type text, expected a number"));
}

TEST(Synthetic, GivesTheSameItemsAtAnyRate) {
  FakeClock clock;
  const auto run = [&](std::string_view options) {
    const auto source = testing::make_source("synthetic", options);
    EXPECT_TRUE(source) << source.error().message;
    testing::Caught caught;
    EXPECT_TRUE((*source)->open({.clock = &clock, .resources = {}, .stream = {}, .stop = {}}));
    for (bool more = true; more; clock.advance(kMillisecond)) {
      const auto produced = (*source)->produce(caught);
      EXPECT_TRUE(produced);
      more = produced && *produced;
    }
    return std::move(caught.items);
  };
  const auto fast = run("{items: 100, keys: 3, period_ms: 250, start_s: 1000, spikes: 0.1, seed: 5}");
  const auto slow = run("{items: 100, keys: 3, period_ms: 250, start_s: 1000, spikes: 0.1, seed: 5, rate_hz: 1000}");
  ASSERT_EQ(fast.size(), 100U);
  ASSERT_EQ(slow.size(), 100U);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(fast[i].sequence, i + 1);
    EXPECT_EQ(fast[i].event_time, 1000 * kSecond + static_cast<TimeNs>(i) * 250 * kMillisecond);
    EXPECT_EQ(fast[i].event_time, slow[i].event_time);
    EXPECT_EQ(fast[i].text("device"), slow[i].text("device"));
    EXPECT_EQ(*fast[i].get<double>("value"), *slow[i].get<double>("value"));
    EXPECT_EQ(slow[i].emitted - slow[0].emitted, static_cast<TimeNs>(i) * kMillisecond);
  }
}

}  // namespace
}  // namespace moru::edge
