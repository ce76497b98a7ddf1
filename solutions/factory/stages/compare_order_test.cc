// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/streams/stage_for_test.h"
#include "edge/streams/stages/normalise.h"

namespace moru::edge {
namespace {

using testing::Caught;
using ::testing::HasSubstr;

Item item_of(std::int64_t order) {
  Item item;
  item.set("probabilities", model::Tensor::of<float>({3}, {0.1F, 0.25F, 0.65F}));
  item.set("order", order);
  return item;
}

std::unique_ptr<Stage> open(std::string_view options) {
  auto stage = testing::make_stage("compare_order", options);
  EXPECT_TRUE(stage) << stage.error().message;
  EXPECT_TRUE((*stage)->open({}));
  return std::move(*stage);
}

TEST(CompareOrder, AlertsBelowTheThresholdOfItsOption) {
  const auto stage = open("{threshold: 0.25}");
  Caught caught;
  for (std::int64_t order = 0; order < 3; ++order) ASSERT_TRUE(stage->process(item_of(order), caught));
  ASSERT_EQ(caught.items.size(), 3U);
  EXPECT_EQ(*caught.items[0].get<std::int64_t>("alert"), 1);
  EXPECT_EQ(*caught.items[1].get<std::int64_t>("alert"), 0);  // 0.25 is not below 0.25
  EXPECT_EQ(*caught.items[2].get<std::int64_t>("alert"), 0);
  EXPECT_FLOAT_EQ(static_cast<float>(*caught.items[2].get<double>("probability")), 0.65F);
}

TEST(CompareOrder, TakesTheThresholdOfTheCardThatRanTheItem) {
  const auto stage = open("{}");
  Caught caught;
  for (const double threshold : {0.2, 0.3}) {
    Item item = item_of(1);
    item.set(kThresholdNote, threshold);
    ASSERT_TRUE(stage->process(std::move(item), caught));
  }
  EXPECT_EQ(*caught.items[0].get<std::int64_t>("alert"), 0);
  EXPECT_EQ(*caught.items[1].get<std::int64_t>("alert"), 1);
}

TEST(CompareOrder, RefusesWhatItCannotCompare) {
  const auto stage = open("{}");
  Caught caught;
  EXPECT_THAT(stage->process(item_of(1), caught).error().message, HasSubstr("no threshold"));
  EXPECT_THAT(stage->process(item_of(3), caught).error().message, HasSubstr("found 3 in field 'order'"));
  EXPECT_THAT(stage->process(item_of(-1), caught).error().message, HasSubstr("expected a class of the 3"));
  EXPECT_THAT(stage->process(Item{}, caught).error().message, HasSubstr("no probabilities"));
  EXPECT_TRUE(caught.items.empty());
  EXPECT_THAT(testing::make_stage("compare_order", "{threshold: 2}").error().message, HasSubstr("between 0 and 1"));
}

}  // namespace
}  // namespace moru::edge
