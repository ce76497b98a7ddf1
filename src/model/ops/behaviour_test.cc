// SPDX-License-Identifier: Apache-2.0
// What the examples of the ops do not show: modes, borders, types. Expected values were worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/random.h"
#include "model/graph/text.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

/// Runs the body of a graph with outputs y; gives y as text, or the error.
std::string run(std::string_view body) {
  const auto graph = parse_text("graph \"test\" {\n" + std::string(body) + "\noutput y\n}");
  if (!graph) return graph.error().message;
  const auto outputs = evaluate(*graph, {});
  return outputs ? to_text(outputs->front()) : outputs.error().message;
}

TEST(Conv, StridesAndDilationsOfTwoAxes) {
  EXPECT_EQ(run(R"(init x = float32[1, 1, 4, 5] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}
    init w = float32[1, 1, 2, 2] {1, 10, 100, 1000}
    y = Conv(x, w) {strides = [1, 2], dilations = [2, 1]})"),
            "float32[1, 1, 2, 2] {13121, 15343, 18676, 20898}");
}

TEST(Conv, SameUpperPutsTheOddPaddingBehindAndSameLowerInFront) {
  constexpr std::string_view kData = "init x = float32[1, 1, 4] {1, 2, 3, 4}\ninit w = float32[1, 1, 2] {1, 10}\n";
  EXPECT_EQ(run(std::string(kData) + "y = Conv(x, w) {auto_pad = \"SAME_UPPER\"}"), "float32[1, 1, 4] {21, 32, 43, 4}");
  EXPECT_EQ(run(std::string(kData) + "y = Conv(x, w) {auto_pad = \"SAME_LOWER\"}"), "float32[1, 1, 4] {10, 21, 32, 43}");
  EXPECT_EQ(run(std::string(kData) + "y = Conv(x, w) {auto_pad = \"VALID\", strides = [2]}"), "float32[1, 1, 2] {21, 43}");
}

/// The definition, one output at a time; shares no code with the op.
double conv_at(const Tensor& x, const Tensor& w, std::int64_t n, std::int64_t o, std::int64_t row, std::int64_t column,
               std::int64_t group) {
  const Dims& xd = x.dims();
  const Dims& wd = w.dims();
  double sum = 0;
  for (std::int64_t c = 0; c < wd[1]; ++c) {
    for (std::int64_t i = 0; i < wd[2]; ++i) {
      for (std::int64_t j = 0; j < wd[3]; ++j) {
        const std::int64_t h = row * 2 - 1 + i;
        const std::int64_t v = column * 1 - 2 + j * 2;
        if (h < 0 || h >= xd[2] || v < 0 || v >= xd[3]) continue;
        const std::int64_t channel = o / (wd[0] / group) * wd[1] + c;
        const float a = x.data<float>()[static_cast<std::size_t>(((n * xd[1] + channel) * xd[2] + h) * xd[3] + v)];
        const float b = w.data<float>()[static_cast<std::size_t>(((o * wd[1] + c) * wd[2] + i) * wd[3] + j)];
        sum += static_cast<double>(a) * static_cast<double>(b);
      }
    }
  }
  return sum;
}

Tensor random_tensor(Dims dims, Rng& rng) {
  Tensor tensor = Tensor::create(DType::kFloat32, std::move(dims)).value();
  for (float& value : tensor.mutable_data<float>()) value = static_cast<float>(rng.normal());
  return tensor;
}

TEST(Conv, AgreesWithTheDefinitionOnRandomData) {
  const auto graph = parse_text(R"(graph "conv" { input x: float32[2, 4, 7, 9] input w: float32[6, 2, 3, 2]
    y = Conv(x, w) {group = 2, pads = [1, 2, 0, 1], strides = [2, 1], dilations = [1, 2]} output y })");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  Rng rng(1);
  const Tensor x = random_tensor({2, 4, 7, 9}, rng);
  const Tensor w = random_tensor({6, 2, 3, 2}, rng);
  const auto outputs = evaluate(*graph, std::vector{x, w});
  ASSERT_TRUE(outputs.has_value()) << outputs.error().message;
  const Dims expected{2, 6, 3, 10};
  ASSERT_EQ(outputs->front().dims(), expected);
  std::size_t at = 0;
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t o = 0; o < 6; ++o) {
      for (std::int64_t row = 0; row < 3; ++row) {
        for (std::int64_t column = 0; column < 10; ++column) {
          // Both sums are of at most 12 products in double: they differ far less than a step of float.
          EXPECT_NEAR(static_cast<double>(outputs->front().data<float>()[at++]), conv_at(x, w, n, o, row, column, 2), 1e-6);
        }
      }
    }
  }
}

TEST(Conv, AnEmptyBatchGivesAnEmptyBatch) {
  EXPECT_EQ(run("init x = float32[0, 1, 3] {}\ninit w = float32[2, 1, 2] {1, 1, 1, 1}\ny = Conv(x, w)"), "float32[0, 2, 2] {}");
}

TEST(MaxPool, PaddingNeverWins) {
  EXPECT_EQ(run("init x = float32[1, 1, 2] {-5, -3}\ny = MaxPool(x) {kernel_shape = [2], pads = [1, 1]}"), "float32[1, 1, 3] {-5, -3, -3}");
  EXPECT_EQ(run("init x = int8[1, 1, 2] {-128, -3}\ny = MaxPool(x) {kernel_shape = [2], pads = [1, 0]}"), "int8[1, 1, 2] {-128, -3}");
}

TEST(MaxPool, CeilModeKeepsAWindowThatBeginsInside) {
  constexpr std::string_view kData = "init x = float32[1, 1, 4] {1, 2, 3, 4}\n";
  EXPECT_EQ(run(std::string(kData) + "y = MaxPool(x) {kernel_shape = [3], strides = [2]}"), "float32[1, 1, 1] {3}");
  EXPECT_EQ(run(std::string(kData) + "y = MaxPool(x) {kernel_shape = [3], strides = [2], ceil_mode = 1}"), "float32[1, 1, 2] {3, 4}");
  // The third window would begin behind the data.
  EXPECT_EQ(run(std::string(kData) + "y = MaxPool(x) {kernel_shape = [1], strides = [3], pads = [0, 0], ceil_mode = 1}"),
            "float32[1, 1, 2] {1, 4}");
  EXPECT_EQ(run("init x = float32[1, 1, 3] {1, 2, 3}\ny = MaxPool(x) {kernel_shape = [2], strides = [3], pads = [0, 1], ceil_mode = 1}"),
            "float32[1, 1, 1] {2}");
}

TEST(MaxPool, Dilations) {
  EXPECT_EQ(run("init x = float32[1, 1, 5] {5, 1, 2, 9, 3}\ny = MaxPool(x) {kernel_shape = [2], dilations = [3]}"),
            "float32[1, 1, 2] {9, 3}");
}

TEST(AveragePool, CountsPaddingOnlyWhenAsked) {
  constexpr std::string_view kData = "init x = float32[1, 1, 3] {3, 6, 9}\n";
  EXPECT_EQ(run(std::string(kData) + "y = AveragePool(x) {kernel_shape = [3], pads = [1, 1], count_include_pad = 1}"),
            "float32[1, 1, 3] {3, 6, 5}");
  // In ceil mode the window may reach beyond the padding; that part never counts.
  EXPECT_EQ(run(std::string(kData) + "y = AveragePool(x) {kernel_shape = [2], strides = [2], ceil_mode = 1, count_include_pad = 1}"),
            "float32[1, 1, 2] {4.5, 9}");
}

TEST(Pool, PadsAsLargeAsTheKernelAreRefused) {
  EXPECT_THAT(run("init x = float32[1, 1, 3] {3, 6, 9}\ny = AveragePool(x) {kernel_shape = [2], pads = [2, 0]}"),
              HasSubstr("'pads': found 2 and 0"));
}

TEST(Relu, KeepsNaN) { EXPECT_EQ(run("init x = float32[2] {nan, -0.5}\ny = Relu(x)"), "float32[2] {nan, 0}"); }

TEST(Clip, WithoutBoundsChangesNothing) { EXPECT_EQ(run("init x = uint8[2] {0, 255}\ny = Clip(x)"), "uint8[2] {0, 255}"); }

TEST(Clip, MaxWinsOverMin) {
  EXPECT_EQ(run("init x = float32[1] {1}\ninit l = float32[] {5}\ninit h = float32[] {2}\ny = Clip(x, l, h)"), "float32[1] {2}");
}

TEST(Gemm, TransposesScalesAndStretches) {
  EXPECT_EQ(run(R"(init a = float32[2, 1] {1, 2}
    init b = float32[2, 2] {1, 2, 3, 4}
    init c = float32[1, 1] {10}
    y = Gemm(a, b, c) {transA = 1, alpha = 0.5, beta = 2.0})"),
            "float32[1, 2] {23.5, 25}");
}

TEST(Gemm, DoesNotStretchTheProduct) {
  EXPECT_THAT(run("init a = float32[1, 1] {1}\ninit b = float32[1, 2] {1, 2}\ninit c = float32[2, 2] {1, 2, 3, 4}\ny = Gemm(a, b, c)"),
              HasSubstr("input 2 (C): found [2, 2], expected a shape that stretches to [1, 2]"));
}

TEST(MatMul, VectorsAndBatches) {
  EXPECT_EQ(run("init a = float32[2] {1, 2}\ninit b = float32[2] {3, 4}\ny = MatMul(a, b)"), "float32[] {11}");
  EXPECT_EQ(run("init a = float32[2] {1, 2}\ninit b = float32[2, 2] {1, 2, 3, 4}\ny = MatMul(a, b)"), "float32[2] {7, 10}");
  EXPECT_EQ(run("init a = float32[2, 1, 1, 1] {1, 2}\ninit b = float32[3, 1, 1] {1, 10, 100}\ny = MatMul(a, b)"),
            "float32[2, 3, 1, 1] {1, 10, 100, 2, 20, 200}");
  EXPECT_EQ(run("init a = float32[1, 0] {}\ninit b = float32[0, 2] {}\ny = MatMul(a, b)"), "float32[1, 2] {0, 0}");
}

TEST(Arithmetic, IntegersWrapAround) {
  EXPECT_EQ(run("init a = int32[1] {2147483647}\ninit b = int32[1] {1}\ny = Add(a, b)"), "int32[1] {-2147483648}");
  EXPECT_EQ(run("init a = uint8[1] {3}\ninit b = uint8[1] {5}\ny = Sub(a, b)"), "uint8[1] {254}");
  EXPECT_EQ(run("init a = int64[1] {-9223372036854775808}\ninit b = int64[1] {-1}\ny = Mul(a, b)"), "int64[1] {-9223372036854775808}");
  EXPECT_EQ(run("init a = int64[1] {-9223372036854775808}\ninit b = int64[1] {-1}\ny = Div(a, b)"), "int64[1] {-9223372036854775808}");
  EXPECT_EQ(run("init a = int8[1] {-128}\ninit b = int8[1] {-1}\ny = Div(a, b)"), "int8[1] {-128}");
}

TEST(Arithmetic, DivisionByZero) {
  EXPECT_EQ(run("init a = float32[2] {1, 0}\ninit b = float32[] {0}\ny = Div(a, b)").substr(0, 16), "float32[2] {inf,");
  EXPECT_THAT(run("init a = int32[1] {1}\ninit b = int32[2] {1, 0}\ny = Div(a, b)"), HasSubstr("input 1 (B): found 0"));
}

TEST(Arithmetic, StretchesBothWays) {
  EXPECT_EQ(run("init a = float64[2, 1, 2] {1, 2, 3, 4}\ninit b = float64[2, 1] {10, 20}\ny = Add(a, b)"),
            "float64[2, 2, 2] {11, 12, 21, 22, 13, 14, 23, 24}");
}

TEST(Softmax, LargeScoresDoNotOverflowAndAxisIsFree) {
  EXPECT_EQ(run("init x = float32[2] {1000, 1000}\ny = Softmax(x)"), "float32[2] {0.5, 0.5}");
  EXPECT_EQ(run("init x = float32[2, 2] {1, 2, 1, 2}\ny = Softmax(x) {axis = 0}"), "float32[2, 2] {0.5, 0.5, 0.5, 0.5}");
}

TEST(Sigmoid, SaturatesWithoutOverflow) { EXPECT_EQ(run("init x = float32[2] {-1000, 1000}\ny = Sigmoid(x)"), "float32[2] {0, 1}"); }

TEST(Reshape, KeepsAnEmptyBatch) {
  EXPECT_EQ(run("init x = float32[0, 2, 3] {}\ninit s = int64[2] {0, -1}\ny = Reshape(x, s)"), "float32[0, 6] {}");
}

TEST(Reshape, AllowZeroMakesAnEmptyAxis) {
  EXPECT_EQ(run("init x = float32[0, 3] {}\ninit s = int64[2] {3, 0}\ny = Reshape(x, s) {allowzero = 1}"), "float32[3, 0] {}");
}

TEST(Flatten, NegativeAndOuterAxes) {
  constexpr std::string_view kData = "init x = int8[2, 1, 2] {1, 2, 3, 4}\n";
  EXPECT_EQ(run(std::string(kData) + "y = Flatten(x) {axis = -1}"), "int8[2, 2] {1, 2, 3, 4}");
  EXPECT_EQ(run(std::string(kData) + "y = Flatten(x) {axis = 0}"), "int8[1, 4] {1, 2, 3, 4}");
  EXPECT_EQ(run(std::string(kData) + "y = Flatten(x) {axis = 3}"), "int8[4, 1] {1, 2, 3, 4}");
}

TEST(Concat, OfEmptyAndFull) {
  EXPECT_EQ(run("init a = int64[0] {}\ninit b = int64[2] {1, 2}\ny = Concat(a, b, b) {axis = -1}"), "int64[4] {1, 2, 1, 2}");
}

TEST(Pad, CutsAndFillsWithZero) {
  EXPECT_EQ(run("init x = int8[4] {1, 2, 3, 4}\ninit p = int64[2] {-1, 2}\ny = Pad(x, p)"), "int8[5] {2, 3, 4, 0, 0}");
  EXPECT_EQ(run("init x = int8[2] {1, 2}\ninit p = int64[2] {3, -3}\ny = Pad(x, p)"), "int8[2] {0, 0}");
}

TEST(DFT, AOneSidedInverseTakesALength) {
  // Of {1, 2, 3}; what is behind the middle is left out, and what is missing before it is 0.
  EXPECT_EQ(run("init x = float32[1, 3, 2] {6, 0, -1.5, 0.8660254, 9, 9}\ninit n = int64[] {3}\n"
                "y = DFT(x, n) {inverse = 1, onesided = 1}"),
            "float32[1, 3, 1] {1, 2, 3}");
  EXPECT_EQ(run("init x = float32[1, 1, 2] {6, 0}\ninit n = int64[] {3}\ny = DFT(x, n) {inverse = 1, onesided = 1}"),
            "float32[1, 3, 1] {2, 2, 2}");
}

TEST(QuantizeLinear, RoundsHalvesToEvenAndSaturates) {
  EXPECT_EQ(run("init x = float32[6] {-0.5, -1.5, 3.5, inf, -inf, nan}\ninit s = float32[] {1}\ny = QuantizeLinear(x, s)"),
            "uint8[6] {0, 0, 4, 255, 0, 0}");
  EXPECT_EQ(run("init x = float32[2] {1, -1}\ninit s = float32[1] {0}\ninit z = int8[1] {3}\ny = QuantizeLinear(x, s, z)"),
            "int8[2] {127, -128}");
}

TEST(QuantizeLinear, AxisMayBeNegative) {
  EXPECT_EQ(run("init x = float32[1, 2] {4, 4}\ninit s = float32[2] {1, 2}\ny = QuantizeLinear(x, s) {axis = -1}"), "uint8[1, 2] {4, 2}");
}

TEST(DequantizeLinear, Int32OfABias) {
  EXPECT_EQ(run("init x = int32[2] {-2147483648, 100}\ninit s = float32[] {0.5}\ny = DequantizeLinear(x, s)"),
            "float32[2] {-1073741800, 50}");
}

TEST(BatchNormalization, DefaultEpsilonIsOneHundredThousandth) {
  EXPECT_EQ(run(R"(init x = float32[1, 1] {1}
    init one = float32[1] {1}
    init zero = float32[1] {0}
    y = BatchNormalization(x, one, zero, zero, zero))"),
            "float32[1, 1] {316.22778}");
}

}  // namespace
}  // namespace moru::model
