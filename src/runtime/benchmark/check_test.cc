// SPDX-License-Identifier: Apache-2.0
#include "runtime/benchmark/check.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::runtime {
namespace {

using model::Tensor;
using testing::HasSubstr;

Judgement verdict_on(const Tensor& expected, const Tensor& found, bool quantised) {
  std::vector<Parity> parities;
  EXPECT_TRUE(add_answer(std::span(&expected, 1), std::span(&found, 1), &parities).has_value());
  return judge(parities, quantised);
}

TEST(Judge, FloatModelsAreRightToAMillionth) {
  const auto expected = Tensor::of<float>({1, 3}, {1, 2, 3});
  EXPECT_TRUE(verdict_on(expected, Tensor::of<float>({1, 3}, {1, 2, 3.003F}), false).ok);
  const auto wrong = verdict_on(expected, Tensor::of<float>({1, 3}, {1, 2, 3.01F}), false);
  EXPECT_FALSE(wrong.ok);
  EXPECT_NEAR(wrong.nmse.value(), 0.0001 / 14, 1e-6);
  EXPECT_THAT(wrong.reason, HasSubstr("wrong: found an answer of NMSE"));
  const auto nan = verdict_on(expected, Tensor::of<float>({1, 3}, {1, 2, NAN}), false);
  EXPECT_FALSE(nan.ok);
  EXPECT_TRUE(std::isinf(nan.nmse.value()));
}

TEST(Judge, QuantisedModelsMayDifferBySteps) {
  const auto expected = Tensor::of<std::int8_t>({2, 4}, {-128, 100, 20, -128, 30, -100, 29, 5});
  EXPECT_TRUE(verdict_on(expected, Tensor::of<std::int8_t>({2, 4}, {-128, 95, 24, -128, 29, -98, 30, 8}), true).ok);
  const auto other = verdict_on(expected, Tensor::of<std::int8_t>({2, 4}, {-128, 100, 20, -128, 5, -100, 29, 30}), true);
  EXPECT_FALSE(other.ok);  // the second sample's choice is another
  EXPECT_THAT(other.reason, HasSubstr("found the reference's choice in 1 of 2 samples"));
}

TEST(Judge, QuantisedModelsMustBeNearInAllElements) {
  const auto expected = Tensor::of<std::int8_t>({1, 4}, {10, 100, 20, 40});
  EXPECT_FALSE(verdict_on(expected, Tensor::of<std::int8_t>({1, 4}, {-60, 100, -60, 40}), true).ok);
}

TEST(Judge, OtherShapesTypesAndNumbersAreErrors) {
  const Tensor expected[] = {Tensor::of<float>({2}, {1, 2})};
  const Tensor other_shape[] = {Tensor::of<float>({1}, {1})};
  std::vector<Parity> parities;
  EXPECT_EQ(add_answer(expected, other_shape, &parities).error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(add_answer(expected, {}, &parities).error().message, HasSubstr("found 0 outputs, expected 1"));
}

TEST(Judge, KnowsWhichRulesAModelHas) {
  const auto bytes_of = [](std::string_view text) {
    auto graph = model::parse_text(text).value();
    EXPECT_TRUE(model::infer_shapes(graph).has_value());
    return model::write_onnx(graph).value();
  };
  const auto plain = bytes_of("graph \"g\" { opset 13 input x: float32[N, 4] y = Relu(x) output y }");
  const auto qdq = bytes_of(
      "graph \"g\" { opset 13 input x: float32[N, 4] init s = float32[] {0.1} init z = int8[] {0} q = QuantizeLinear(x, s, z) "
      "d = DequantizeLinear(q, s, z) y = Relu(d) e = QuantizeLinear(y, s, z) f = DequantizeLinear(e, s, z) output f }");
  EXPECT_FALSE(is_quantised({"onnx", plain}));
  EXPECT_TRUE(is_quantised({"onnx", qdq}));
  EXPECT_FALSE(is_quantised({"onnx", "no model"}));
}

}  // namespace
}  // namespace moru::runtime
