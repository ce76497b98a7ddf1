// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StackTest : public ::testing::Test {
 protected:
  static Result<std::vector<Schema>> try_make(std::string_view options, std::unique_ptr<Stage>& stage) {
    MORU_ASSIGN_OR_RETURN(stage, testing::make_stage("stack", options));
    Schema schema;
    schema.set({.name = "device", .type = FieldType::kText});
    schema.set({.name = "x", .type = FieldType::kDouble});
    schema.set({.name = "y", .type = FieldType::kInt64});
    return stage->bind(std::vector{schema});
  }
  void make(std::string_view options) {
    const auto bound = try_make(options, stage_);
    ASSERT_TRUE(bound) << bound.error().message;
    schema_ = (*bound)[0];
  }
  static std::string error_of(std::string_view options) {
    std::unique_ptr<Stage> stage;
    const auto bound = try_make(options, stage);
    return bound ? "" : bound.error().message;
  }
  void put(TimeNs ms, double x, std::int64_t y, std::string_view device = "a") {
    Item item;
    item.event_time = ms * kMillisecond;
    item.set("device", device);
    item.set("x", x);
    item.set("y", y);
    ++put_;
    ASSERT_TRUE(stage_->process(std::move(item), caught_));
    EXPECT_EQ(put_, caught_.used_items + caught_.reasons.size() + stage_->held());
  }
  std::vector<std::vector<float>> out() {
    std::vector<std::vector<float>> tensors;
    for (const Item& item : caught_.items) {
      const auto* tensor = item.get<model::Tensor>("tensor");
      EXPECT_EQ(tensor->dims(), *schema_.find("tensor")->dims);
      tensors.emplace_back(tensor->data<float>().begin(), tensor->data<float>().end());
    }
    caught_.items.clear();
    return tensors;
  }

  std::unique_ptr<Stage> stage_;
  Schema schema_;
  testing::Caught caught_;
  std::uint64_t put_ = 0;
};

TEST_F(StackTest, MakesATensorOfRowsForEachKey) {
  make("{fields: [x, y], rows: 2, key: [device]}");
  put(1, 1.5, 10);
  put(2, 9.0, 90, "b");
  put(3, 2.5, 20);
  ASSERT_EQ(caught_.items.size(), 1U);
  EXPECT_EQ(caught_.items[0].event_time, 3 * kMillisecond);
  EXPECT_EQ(caught_.items[0].text("device"), "a");
  EXPECT_THAT(out(), ElementsAre(ElementsAre(1.5F, 10.0F, 2.5F, 20.0F)));
  stage_->finish(caught_);
  EXPECT_THAT(caught_.reasons, ElementsAre("incomplete"));
}

TEST_F(StackTest, OverlapsByItsStepAndTakesAShape) {
  make("{fields: [x], rows: 3, step: 2, shape: [1, 3, 1]}");
  for (int i = 0; i < 8; ++i) put(i, i, 0);
  EXPECT_THAT(out(), ElementsAre(ElementsAre(0, 1, 2), ElementsAre(2, 3, 4), ElementsAre(4, 5, 6)));
  EXPECT_EQ(stage_->held(), 1U);
}

TEST_F(StackTest, LeavesOutWhatALongStepJumpsOver) {
  make("{fields: [x], rows: 1, step: 3}");
  for (int i = 0; i < 7; ++i) put(i, i, 0);
  EXPECT_THAT(out(), ElementsAre(ElementsAre(2), ElementsAre(5)));
  EXPECT_EQ(caught_.reasons.size(), 4U);
  EXPECT_THAT(caught_.reasons, Each("left out"));
}

TEST_F(StackTest, AGapBeginsAnewAndWhatIsWrongIsCounted) {
  make("{fields: [x], rows: 2, gap_ms: 10, key: [device], max_keys: 1}");
  put(0, 1.0, 0);
  put(20, 2.0, 0);
  put(19, 3.0, 0);
  put(21, std::numeric_limits<double>::quiet_NaN(), 0);
  put(21, 1e300, 0);
  put(21, 4.0, 0, "b");
  put(30, 5.0, 0);
  EXPECT_THAT(out(), ElementsAre(ElementsAre(2, 5)));
  EXPECT_THAT(caught_.reasons, ElementsAre("incomplete", "out of order", "not a number", "not a number", "too many keys"));
}

TEST_F(StackTest, MistakesNameTheirLine) {
  EXPECT_THAT(error_of("{fields: [z], rows: 2}"), HasSubstr("found no field 'z'"));
  EXPECT_THAT(error_of("{fields: [device], rows: 2}"), HasSubstr("expected a number"));
  EXPECT_THAT(error_of("{fields: [x], rows: 2, shape: [3]}"), HasSubstr("found shape [3], expected one of 2 elements"));
  EXPECT_THAT(error_of("{fields: [x], rows: 2, shape: [4611686018427387904, 4, 2]}"), HasSubstr("expected one of 2 elements"));
  EXPECT_THAT(error_of("{fields: [], rows: 2}"), HasSubstr("found 0 fields"));
  EXPECT_THAT(error_of("{fields: [x, y], rows: 10000000}"), HasSubstr("expected a tensor of 1 to 16777216 elements"));
  EXPECT_THAT(error_of("{fields: [x], rows: 2, key: [device], output: device}"), HasSubstr("as key and output"));
}

}  // namespace
}  // namespace moru::edge
