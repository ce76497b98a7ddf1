// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/streams/stage_for_test.h"

namespace moru::edge {

extern const StageSpec kStage_every;

namespace {

Result<std::unique_ptr<Stage>> make(std::string_view options) {
  MORU_ASSIGN_OR_RETURN(const auto object, ConfigObject::parse(options, "test.yaml"));
  return kStage_every.create(object);
}

TEST(Every, PassesOnEveryNthItemAndSaysWhyNotTheOthers) {
  const auto stage = make("{n: 3}");
  ASSERT_TRUE(stage) << stage.error().message;
  testing::Caught caught;
  for (std::uint64_t i = 1; i <= 7; ++i) {
    Item item;
    item.sequence = i;
    ASSERT_TRUE((*stage)->process(std::move(item), caught));
  }
  ASSERT_EQ(caught.items.size(), 2U);
  EXPECT_EQ(caught.items[0].sequence, 3U);
  EXPECT_EQ(caught.items[1].sequence, 6U);
  EXPECT_EQ(*caught.items[1].get<std::int64_t>("nth"), 2);
  EXPECT_EQ(caught.reasons.size(), 5U);
}

TEST(Every, ChecksItsOptions) {
  EXPECT_FALSE(make("{n: 0}"));
  EXPECT_THAT(make("{}").error().message, ::testing::HasSubstr("no field 'n'"));
}

TEST(Every, ItsExampleRuns) {
  std::vector<const StageSpec*> table(all_stages().begin(), all_stages().end());
  table.push_back(&kStage_every);
  testing::run_example(kStage_every, table);
}

}  // namespace
}  // namespace moru::edge
