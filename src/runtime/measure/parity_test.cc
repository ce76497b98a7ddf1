// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/parity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/json.h"

namespace moru::runtime {
namespace {

using model::Tensor;

TEST(Parity, FiguresAreOverAllRuns) {
  Parity parity;
  ASSERT_TRUE(add_run(Tensor::of<float>({2}, {3, 4}), Tensor::of<float>({2}, {3, 4}), &parity).has_value());
  EXPECT_TRUE(parity.same_bits);
  ASSERT_TRUE(add_run(Tensor::of<float>({2}, {0, 5}), Tensor::of<float>({2}, {0, 7}), &parity).has_value());
  EXPECT_EQ(parity.runs, 2);
  EXPECT_EQ(parity.count, 4);
  EXPECT_DOUBLE_EQ(parity.max_error, 2);
  EXPECT_DOUBLE_EQ(parity.rms_error, 1);      // sqrt(4 / 4)
  EXPECT_DOUBLE_EQ(parity.nmse, 4.0 / 50.0);  // 9 + 16 + 25
  EXPECT_FALSE(parity.same_bits);
}

TEST(Parity, LargestElementsOfEachSample) {
  Parity parity;
  const auto expected = Tensor::of<std::int8_t>({3, 2}, {1, 2, 5, 4, 7, 7});
  ASSERT_TRUE(add_run(expected, Tensor::of<std::int8_t>({3, 2}, {0, 1, 4, 5, 6, 7}), &parity).has_value());
  EXPECT_EQ(parity.samples, 3);
  EXPECT_EQ(parity.agreements, 2);  // the second differs; the third is a tie
  Parity single;
  ASSERT_TRUE(add_run(Tensor::of<float>({2, 1}, {1, 2}), Tensor::of<float>({2, 1}, {1, 2}), &single).has_value());
  EXPECT_EQ(single.samples, 0);  // nothing to choose from
  EXPECT_TRUE(to_json(single)["argmax_agreement"].is_null());
}

TEST(Parity, NearlyTheLargestIsAnAgreementForQuantisedModels) {
  Parity levels;
  const auto expected = Tensor::of<std::int8_t>({2, 3}, {10, 12, 0, 10, 15, 0});
  ASSERT_TRUE(add_run(expected, Tensor::of<std::int8_t>({2, 3}, {12, 11, 0, 16, 15, 0}), &levels).has_value());
  EXPECT_EQ(levels.agreements, 0);
  EXPECT_EQ(levels.near_agreements, 1);  // two levels below, and five
  Parity reals;
  const auto wide = Tensor::of<float>({2, 2}, {0, 100, 99, 100});
  ASSERT_TRUE(add_run(wide, Tensor::of<float>({2, 2}, {1, 0, 100, 99}), &reals).has_value());
  EXPECT_EQ(reals.agreements, 0);
  EXPECT_EQ(reals.near_agreements, 1);
}

TEST(Parity, NotANumberIsNoAgreement) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Parity parity;
  ASSERT_TRUE(add_run(Tensor::of<float>({2}, {1, 2}), Tensor::of<float>({2}, {1, nan}), &parity).has_value());
  EXPECT_TRUE(std::isinf(parity.max_error));
  EXPECT_EQ(parity.agreements, 0);
  EXPECT_EQ(parity.near_agreements, 0);
  EXPECT_EQ(to_json(parity)["max_error"], "inf");
}

TEST(Parity, OtherShapesAndTypesAreRefused) {
  Parity parity;
  EXPECT_EQ(add_run(Tensor::of<float>({2}, {1, 2}), Tensor::of<float>({1, 2}, {1, 2}), &parity).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(add_run(Tensor::of<float>({1}, {1}), Tensor::of<double>({1}, {1}), &parity).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace moru::runtime
