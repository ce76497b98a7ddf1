// SPDX-License-Identifier: Apache-2.0
#include "forge/validate/evaluate.h"

#include <gmock/gmock.h>

#include "core/json.h"
#include "forge/data/synthetic_for_test.h"

namespace moru::forge {
namespace {

using testing::HasSubstr;

/// A classifier that calls an image by the place of its brightest pixel column, right for `right_for` labels.
class BrightColumn final : public runtime::Session {
 public:
  explicit BrightColumn(int right_for) : right_for_(right_for) {}
  std::span<const runtime::Port> inputs() const override { return {&input_, 1}; }
  std::span<const runtime::Port> outputs() const override { return {&output_, 1}; }
  Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) override {
    const auto* pixels = reinterpret_cast<const float*>(inputs[0].bytes.data());
    auto* probabilities = reinterpret_cast<float*>(outputs[0].bytes.data());
    for (std::int64_t i = 0; i < inputs[0].dims[0]; ++i) {
      const float* row = pixels + i * 784 + 3 * 28;  // a line through the squares of classes 0 to 3
      int label = 0;
      for (int c = 0; c < 4; ++c) {
        if (row[1 + c * 3] > 3.0F && row[6 + c * 3] > 3.0F) label = c;
      }
      if (label >= right_for_) label = 0;
      for (int c = 0; c < 4; ++c) probabilities[i * 4 + c] = c == label ? 0.7F : 0.1F;
    }
    return {};
  }

 private:
  int right_for_;
  runtime::Port input_{"image", model::DType::kFloat32, {{-1, "N"}, {1, {}}, {28, {}}, {28, {}}}};
  runtime::Port output_{"probabilities", model::DType::kFloat32, {{-1, "N"}, {4, {}}}};
};

TEST(Evaluate, CountsWhatIsRight) {
  const ImageSet set = synthetic_set_for_test(50, 4, 6);
  BrightColumn all(4);
  const auto evaluation = evaluate(all, set, 0.13, 0.14, 16);
  ASSERT_TRUE(evaluation.has_value()) << evaluation.error().message;
  EXPECT_EQ(evaluation->top1, 1.0);
  EXPECT_EQ(evaluation->classes, 4);
  EXPECT_EQ(evaluation->predicted.size(), 50U);
  EXPECT_FLOAT_EQ(evaluation->row(49)[set.label(49)], 0.7F);

  BrightColumn half(2);
  const auto partial = evaluate(half, set, 0.13, 0.14, 50);
  ASSERT_TRUE(partial.has_value());
  std::int64_t expected = 0;
  for (std::int64_t i = 0; i < 50; ++i) expected += set.label(i) < 2 ? 1 : 0;
  EXPECT_DOUBLE_EQ(partial->top1, static_cast<double>(expected) / 50);
  EXPECT_DOUBLE_EQ(agreement(*evaluation, *partial), static_cast<double>(expected) / 50);
}

Comparison figures(double float_top1, double int8_top1, std::uint64_t float_size, std::uint64_t int8_size) {
  Comparison comparison;
  comparison.original = {.size_bytes = float_size, .top1 = float_top1, .latency = {}};
  comparison.compressed = {.size_bytes = int8_size, .top1 = int8_top1, .latency = {}};
  return comparison;
}

TEST(Judge, BudgetIsMetAtItsEdge) {
  Comparison comparison = figures(0.92, 0.91, 1000, 300);
  judge({.max_drop_points = 1.0, .max_size_ratio = 0.3}, &comparison);
  EXPECT_TRUE(comparison.budget_met);
  EXPECT_NEAR(comparison.drop_points, 1.0, 1e-9);
  EXPECT_THAT(to_table(comparison), HasSubstr("budget: met"));
}

TEST(Judge, EachViolationIsNamed) {
  Comparison comparison = figures(0.92, 0.9, 1000, 301);
  judge({.max_drop_points = 1.0, .max_size_ratio = 0.3}, &comparison);
  EXPECT_FALSE(comparison.budget_met);
  EXPECT_THAT(comparison.violations, testing::ElementsAre(HasSubstr("fell by 2.00 points"), HasSubstr("30.1 % of the original")));
  EXPECT_THAT(to_table(comparison), HasSubstr("budget: not met: accuracy"));
  EXPECT_EQ(to_json(comparison)["budget_met"], false);
}

TEST(CompareModels, UnknownBackendIsAnError) {
  const ImageSet set = synthetic_set_for_test(5, 4, 6);
  EXPECT_FALSE(compare_models("", "", set, 0, 1, {}, {.backend = "nobody"}).has_value());
}

}  // namespace
}  // namespace moru::forge
