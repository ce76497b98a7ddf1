// SPDX-License-Identifier: Apache-2.0
#include "forge/compress/calibrate.h"

#include <gmock/gmock.h>

#include <limits>

#include "core/random.h"
#include "model/graph/text.h"

namespace moru::forge {
namespace {

using model::Tensor;
using testing::HasSubstr;

model::Graph relu_graph() {
  auto graph = model::parse_text(R"(graph "relu" {
    opset 13
    input x: float32[N]
    y = Relu(x)
    z = Relu(y)
    output z
  })");
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return std::move(*graph);
}

const std::vector<std::string> kBoth{"x", "y"};

TEST(Calibrate, MinMaxSpansAllBatches) {
  const std::vector<std::vector<Tensor>> batches{{Tensor::of<float>({3}, {-2.0F, 1.0F, 0.5F})}, {Tensor::of<float>({2}, {4.0F, 0.0F})}};
  const auto ranges = calibrate(relu_graph(), kBoth, batches, reference_runner(), {.method = RangeMethod::kMinMax});
  ASSERT_TRUE(ranges.has_value()) << ranges.error().message;
  EXPECT_EQ(ranges->at("x").low, -2.0F);
  EXPECT_EQ(ranges->at("x").high, 4.0F);
  EXPECT_EQ(ranges->at("y").low, 0.0F);
  EXPECT_EQ(ranges->at("y").high, 4.0F);
}

/// Ten thousand normal values and one outlier.
std::vector<std::vector<Tensor>> with_outlier() {
  Rng random(3);
  std::vector<float> values(10'000);
  for (float& value : values) value = static_cast<float>(random.normal());
  values.push_back(60.0F);
  return {{Tensor::of<float>({static_cast<std::int64_t>(values.size())}, values)}};
}

TEST(Calibrate, PercentileAndMseLeaveOutAnOutlier) {
  const auto percentile = calibrate(relu_graph(), kBoth, with_outlier(), reference_runner(), {.method = RangeMethod::kPercentile, .percentile = 99.9});
  ASSERT_TRUE(percentile.has_value());
  EXPECT_LT(percentile->at("x").high, 5.0F);
  EXPECT_GT(percentile->at("x").high, 2.0F);
  EXPECT_GT(percentile->at("x").low, -5.0F);
  // With few levels a wide range costs more than one clipped value.
  const auto mse = calibrate(relu_graph(), kBoth, with_outlier(), reference_runner(), {.method = RangeMethod::kMse, .levels = 16});
  ASSERT_TRUE(mse.has_value());
  EXPECT_LT(mse->at("x").high, 50.0F);
}

TEST(Calibrate, MseKeepsARangeWithoutOutliers) {
  std::vector<float> values;
  for (int i = 0; i <= 1000; ++i) values.push_back(static_cast<float>(i) / 100.0F);
  const auto ranges = calibrate(relu_graph(), kBoth, std::vector<std::vector<Tensor>>{{Tensor::of<float>({1001}, values)}}, reference_runner());
  ASSERT_TRUE(ranges.has_value());
  EXPECT_GT(ranges->at("y").high, 9.8F);
}

TEST(Calibrate, ConstantValueHasARangeWithZero) {
  const auto ranges = calibrate(relu_graph(), kBoth, std::vector<std::vector<Tensor>>{{Tensor::of<float>({2}, {3.0F, 3.0F})}}, reference_runner());
  ASSERT_TRUE(ranges.has_value());
  EXPECT_EQ(ranges->at("x").low, 0.0F);
  EXPECT_NEAR(ranges->at("x").high, 3.0F, 0.1F);
}

TEST(Calibrate, BadInputIsNamed) {
  const auto nothing = calibrate(relu_graph(), kBoth, {}, reference_runner());
  EXPECT_EQ(nothing.error().code, ErrorCode::kInvalidArgument);
  const std::vector<std::vector<Tensor>> batches{{Tensor::of<float>({1}, {std::numeric_limits<float>::infinity()})}};
  EXPECT_THAT(calibrate(relu_graph(), kBoth, batches, reference_runner()).error().message, HasSubstr("expected finite numbers"));
  const std::vector<std::string> unknown{"nobody"};
  EXPECT_THAT(calibrate(relu_graph(), unknown, batches, reference_runner()).error().message, HasSubstr("no value 'nobody'"));
}

}  // namespace
}  // namespace moru::forge
