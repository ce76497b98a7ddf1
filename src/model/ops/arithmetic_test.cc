// SPDX-License-Identifier: Apache-2.0
// Types, borders and errors of elementwise ops, reductions and products. Expected values were worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

/// Runs the body of a graph with output y; gives y as text, or the error.
std::string run(std::string_view body) {
  const auto graph = parse_text("graph \"test\" {\n" + std::string(body) + "\noutput y\n}");
  if (!graph) return graph.error().message;
  const auto outputs = evaluate(*graph, {});
  return outputs ? to_text(outputs->front()) : outputs.error().message;
}

/// The type that is inferred for y.
std::string inferred(std::string_view body) {
  auto graph = parse_text("graph \"test\" {\n" + std::string(body) + "\noutput y\n}");
  if (!graph) return graph.error().message;
  if (const Status status = infer_shapes(*graph); !status) return status.error().message;
  const ValueType& type = graph->value(graph->outputs[0]).type;
  return (type.dtype ? std::string(to_string(*type.dtype)) : "?") + (type.shape ? to_string(*type.shape) : "[*]");
}

TEST(Floats16, AreComputedInMoreDigitsAndRoundedOnce) {
  EXPECT_EQ(run("init a = float16[2] {2048, 1}\ninit b = float16[2] {1, 0.5}\ny = Add(a, b)"), "float16[2] {2048, 1.5}");
  EXPECT_EQ(run("init a = bfloat16[1] {3}\ny = Reciprocal(a)"), "bfloat16[1] {0.33398438}");
  EXPECT_EQ(run("init a = float16[4] {2048, 1, 1, 1}\ny = ReduceSum(a)"), "float16[1] {2052}");
}

TEST(NaN, PassesThrough) {
  for (const char* op : {"Relu", "LeakyRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "HardSigmoid", "Softplus", "Sign", "Clip", "Floor",
                         "ReduceMax", "ReduceMin", "ReduceLogSumExp"}) {
    // The bits of a NaN are those of the machine.
    EXPECT_THAT(run(std::string("init x = float32[1] {nan}\ny = ") + op + "(x)"), HasSubstr("float32[1] {nan")) << op;
  }
  EXPECT_EQ(run("init a = float32[2] {nan, 1}\ninit b = float32[2] {1, nan}\ny = Max(a, b)"), "float32[2] {nan, nan}");
  EXPECT_EQ(run("init a = float32[2] {nan, 1}\ninit b = float32[2] {1, nan}\ny = Min(a, b)"), "float32[2] {nan, nan}");
}

TEST(Mod, SignsAndBorders) {
  EXPECT_EQ(run("init a = int8[2] {-128, 5}\ninit b = int8[2] {-1, -3}\ny = Mod(a, b)"), "int8[2] {0, -1}");
  EXPECT_EQ(run("init a = int64[1] {-9223372036854775808}\ninit b = int64[1] {-1}\ny = Mod(a, b)"), "int64[1] {0}");
  EXPECT_EQ(run("init a = int32[1] {-7}\ninit b = int32[1] {3}\ny = Mod(a, b) {fmod = 1}"), "int32[1] {-1}");
  EXPECT_THAT(run("init a = int32[1] {-7}\ninit b = int32[1] {0}\ny = Mod(a, b)"), HasSubstr("input 1 (B): found 0"));
  EXPECT_THAT(run("init a = float32[1] {-7}\ninit b = float32[1] {3}\ny = Mod(a, b)"), HasSubstr("'fmod'"));
}

TEST(BitShift, ByAllBitsOrMoreGivesNothing) {
  EXPECT_EQ(run("init a = uint64[2] {1, 1}\ninit b = uint64[2] {63, 64}\ny = BitShift(a, b) {direction = \"LEFT\"}"),
            "uint64[2] {9223372036854775808, 0}");
  EXPECT_EQ(run("init a = uint8[1] {255}\ninit b = uint8[1] {200}\ny = BitShift(a, b) {direction = \"RIGHT\"}"), "uint8[1] {0}");
  EXPECT_THAT(run("init a = uint8[1] {255}\ny = BitShift(a, a) {direction = \"UP\"}"), HasSubstr("found 'UP', expected LEFT or RIGHT"));
}

TEST(Pow, OfIntegersWrapsAroundAndCutsOff) {
  EXPECT_EQ(run("init a = uint8[2] {2, 3}\ninit b = int32[2] {8, 3}\ny = Pow(a, b)"), "uint8[2] {0, 27}");
  EXPECT_EQ(run("init a = int32[4] {2, 1, -1, -1}\ninit b = int32[4] {-1, -5, -2, -3}\ny = Pow(a, b)"), "int32[4] {0, 1, 1, -1}");
}

TEST(Cast, Borders) {
  EXPECT_EQ(run("init x = float32[5] {inf, -inf, nan, -1.5, 255.9}\ny = Cast(x) {to = 2}"), "uint8[5] {255, 0, 0, 0, 255}");
  EXPECT_EQ(run("init x = float64[2] {1e30, -1e30}\ny = Cast(x) {to = 7}"), "int64[2] {9223372036854775807, -9223372036854775808}");
  EXPECT_EQ(run("init x = float32[3] {0, 0.25, nan}\ny = Cast(x) {to = 9}"), "bool[3] {false, true, true}");
  EXPECT_EQ(run("init x = int32[3] {7, 8, -9}\ny = Cast(x) {to = 22}"), "int4[3] {7, -8, 7}");
  EXPECT_EQ(run("init x = float32[2] {1.5, 100000}\ny = Cast(x) {to = 10}"), "float16[2] {1.5, inf}");
  EXPECT_EQ(run("init x = string[3] {\"+1e-1\", \"INF\", \"-2\"}\ny = Cast(x) {to = 1}"), "float32[3] {0.1, inf, -2}");
  EXPECT_THAT(run("init x = string[1] {\"one\"}\ny = Cast(x) {to = 1}"), HasSubstr("found 'one', expected a number"));
  EXPECT_THAT(run("init x = float32[1] {1}\ny = Cast(x) {to = 99}"), HasSubstr("'to': found 99"));
}

TEST(Reduce, OfNothingGivesTheNeutralElement) {
  constexpr std::string_view kData = "init x = float32[2, 0] {}\ninit axes = int64[1] {1}\n";
  EXPECT_EQ(run(std::string(kData) + "y = ReduceSum(x, axes) {keepdims = 0}"), "float32[2] {0, 0}");
  EXPECT_EQ(run(std::string(kData) + "y = ReduceProd(x, axes) {keepdims = 0}"), "float32[2] {1, 1}");
  EXPECT_EQ(run(std::string(kData) + "y = ReduceMax(x, axes) {keepdims = 0}"), "float32[2] {-inf, -inf}");
  EXPECT_EQ(run("init x = int8[0] {}\ny = ReduceMin(x) {keepdims = 0}"), "int8[] {127}");
}

TEST(Reduce, AxesAreChecked) {
  constexpr std::string_view kData = "init x = float32[2, 2] {1, 2, 3, 4}\n";
  EXPECT_THAT(run(std::string(kData) + "init a = int64[1] {2}\ny = ReduceSum(x, a)"), HasSubstr("found 2, expected -2 to 1"));
  EXPECT_THAT(run(std::string(kData) + "init a = int64[2] {1, -1}\ny = ReduceSum(x, a)"), HasSubstr("twice"));
  EXPECT_EQ(run(std::string(kData) + "y = ReduceSum(x) {noop_with_empty_axes = 1}"), "float32[2, 2] {1, 2, 3, 4}");
}

TEST(Reduce, SymbolsPassThrough) {
  EXPECT_EQ(inferred("input x: float32[N, C, 4]\ninit a = int64[1] {-1}\ny = ReduceMean(x, a)"), "float32[N, C, 1]");
  EXPECT_EQ(inferred("input x: float32[N, C, 4]\ninput a: int64[1]\ny = ReduceMean(x, a)"), "float32[?, ?, ?]");
  EXPECT_EQ(inferred("input x: float32[N, C]\ny = ArgMax(x) {axis = 1, keepdims = 0}"), "int64[N]");
}

TEST(LogSumExp, DoesNotOverflow) {
  EXPECT_EQ(run("init x = float32[2] {1000, 1000}\ny = ReduceLogSumExp(x) {keepdims = 0}"), "float32[] {1000.6932}");
  EXPECT_EQ(run("init x = float32[2] {-inf, -inf}\ny = ReduceLogSumExp(x) {keepdims = 0}"), "float32[] {-inf}");
}

TEST(MatMul, Integers) {
  EXPECT_EQ(run("init a = int32[1, 2] {2147483647, 1}\ninit b = int32[2, 1] {1, 1}\ny = MatMul(a, b)"), "int32[1, 1] {-2147483648}");
  EXPECT_EQ(run("init a = int64[1, 1] {3}\ninit b = int64[1, 1] {5}\ny = Gemm(a, b, a) {beta = 2.0}"), "int64[1, 1] {21}");
  EXPECT_EQ(run("init a = float16[1, 2] {1, 2}\ninit b = float16[2] {3, 4}\ny = MatMul(a, b)"), "float16[1] {11}");
}

TEST(Einsum, EquationsAreChecked) {
  constexpr std::string_view kData = "init x = float32[2, 2] {1, 2, 3, 4}\n";
  const auto einsum = [&](std::string_view equation) {
    return run(std::string(kData) + "y = Einsum(x) {equation = \"" + std::string(equation) + "\"}");
  };
  EXPECT_EQ(einsum("ii"), "float32[] {5}");
  EXPECT_EQ(einsum(" i j -> j i "), "float32[2, 2] {1, 3, 2, 4}");
  EXPECT_EQ(einsum("ba"), "float32[2, 2] {1, 3, 2, 4}");
  EXPECT_THAT(einsum("ijk->i"), HasSubstr("found 3 letters for input 0 of rank 2"));
  EXPECT_THAT(einsum("ij->ik"), HasSubstr("that no term has"));
  EXPECT_THAT(einsum("ij->ii"), HasSubstr("twice behind the arrow"));
  EXPECT_THAT(einsum("i%->i"), HasSubstr("found '%' in a term"));
  EXPECT_THAT(einsum("ij,jk->ik"), HasSubstr("found 2 terms, expected 1"));
  EXPECT_THAT(einsum("......ij"), HasSubstr("in a term"));
}

TEST(TopK, TiesAndNaN) {
  EXPECT_EQ(run("init x = float32[4] {1, nan, 1, 2}\ninit k = int64[1] {3}\nv, y = TopK(x, k)"), "int64[3] {1, 3, 0}");
  EXPECT_EQ(run("init x = float32[4] {1, nan, 1, 2}\ninit k = int64[1] {3}\nv, y = TopK(x, k) {largest = 0}"), "int64[3] {0, 2, 3}");
  EXPECT_THAT(run("init x = float32[2] {1, 2}\ninit k = int64[1] {3}\ny, i = TopK(x, k)"), HasSubstr("expected at most the extent 2"));
}

TEST(Losses, TargetsAreChecked) {
  constexpr std::string_view kData = "init x = float32[2, 2] {-1, -2, -3, -4}\n";
  EXPECT_THAT(run(std::string(kData) + "init t = int64[2] {0, 2}\ny = NegativeLogLikelihoodLoss(x, t)"), HasSubstr("found class 2"));
  EXPECT_EQ(run(std::string(kData) + "init t = int64[2] {0, -5}\ny = NegativeLogLikelihoodLoss(x, t) {ignore_index = -5}"),
            "float32[] {1}");
  EXPECT_THAT(run(std::string(kData) + "init t = int64[2] {0, 1}\ny = NegativeLogLikelihoodLoss(x, t) {reduction = \"max\"}"),
              HasSubstr("found 'max', expected mean or sum or none"));
}

TEST(Random, RepeatsForASeedAndDiffersWithoutOne) {
  const auto draw = [](std::string_view attributes) { return run("y = RandomNormal() {shape = [3]" + std::string(attributes) + "}"); };
  EXPECT_EQ(draw(", seed = 1.0"), draw(", seed = 1.0"));
  EXPECT_NE(draw(", seed = 1.0"), draw(", seed = 2.0"));
  EXPECT_EQ(run("a = RandomUniform() {shape = [3]}\nb = RandomUniform() {shape = [3]}\ny = Equal(a, b)"), "bool[3] {false, false, false}");
  EXPECT_THAT(run("y = RandomNormal() {shape = [-1]}"), HasSubstr("'shape': found a negative extent"));
  EXPECT_THAT(run("y = RandomNormal() {dtype = 6, shape = [1]}"), HasSubstr("'dtype': found int32"));
}

TEST(Random, NumbersLieWhereTheyShould) {
  EXPECT_EQ(run("u = RandomUniform() {shape = [1000], low = 2.0, high = 3.0, seed = 3.0}\ninit l = float32[] {2}\ninit h = float32[] {3}\n"
                "c = Clip(u, l, h)\nd = Sub(c, u)\ny = ReduceSum(d) {keepdims = 0}"),
            "float32[] {0}");
  EXPECT_EQ(run("init p = float32[1, 3] {0, -inf, 0}\nm = Multinomial(p) {sample_size = 100, dtype = 7}\n"
                "init one = int64[] {1}\ne = Equal(m, one)\ni = Cast(e) {to = 7}\ny = ReduceSum(i) {keepdims = 0}"),
            "int64[] {0}");
}

TEST(Identical, StringsToo) {
  EXPECT_EQ(run("init a = string[2] {\"x\", \"y\"}\ninit b = string[] {\"y\"}\ny = Equal(a, b)"), "bool[2] {false, true}");
}

}  // namespace
}  // namespace moru::model
