// SPDX-License-Identifier: Apache-2.0
// Models that the reader takes and that mean harm: each is refused when it is loaded, with the node's name, or runs without it.
#include <gmock/gmock.h>

#include <limits>

#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {
namespace {

using model::Tensor;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

std::string onnx_of(std::string_view text) {
  auto graph = model::parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  auto written = model::write_onnx(*graph);
  EXPECT_TRUE(written.has_value()) << written.error().message;
  return written.value_or("");
}

/// The message, or "accepted".
std::string refusal(std::string_view text) {
  const auto session = load_session("native", onnx_of(text));
  return session ? "accepted" : session.error().message;
}

TEST(HostileModel, ScalesThatAreNoNumbers) {
  for (const std::string_view scale : {"nan", "inf", "0", "-1"}) {
    SCOPED_TRACE(scale);
    const std::string wrong(scale);
    EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[2] init s = float32[] {" + wrong + "} init z = uint8[] {0}" +
                        "y: uint8[2] = QuantizeLinear(x, s, z) as q output y }"),
                AllOf(HasSubstr("node 0 (QuantizeLinear 'q')"), HasSubstr("scale")));
    EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: int8[2] init s = float32[] {" + wrong + "}" +
                        "y: float32[2] = DequantizeLinear(x, s) as d output y }"),
                AllOf(HasSubstr("node 0 (DequantizeLinear 'd')"), HasSubstr("scale")));
    EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: int8[1, 2] init s = float32[2] {1, " + wrong + "}" +
                        "y: float32[1, 2] = DequantizeLinear(x, s) as d output y }"),
                AllOf(HasSubstr("node 0 (DequantizeLinear 'd')"), HasSubstr("scale")));
  }
  for (const std::string wrong : {"nan", "inf"}) {
    SCOPED_TRACE(wrong);
    EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[1, 2] init w = int8[2, 2] {1, 2, 3, 4} init s = float32[2] {1, " + wrong +
                        "} f: float32[2, 2] = DequantizeLinear(w, s) y: float32[1, 2] = MatMul(x, f) as m output y }"),
                AllOf(HasSubstr("(MatMul 'm')"), HasSubstr("scale")));
    EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[1, 1, 2] init w = int8[1, 1, 2] {1, 2} init s = float32[] {" + wrong +
                        "} f: float32[1, 1, 2] = DequantizeLinear(w, s) as d y: float32[1, 1, 1] = Conv(x, f) output y }"),
                AllOf(HasSubstr("(DequantizeLinear 'd')"), HasSubstr("scale")));
  }
}

TEST(HostileModel, ZeroPointsThatTheLevelsCannotHave) {
  // Of another type, of another count.
  EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: int8[2] init s = float32[] {1} init z = int32[] {300}"
                      "y: float32[2] = DequantizeLinear(x, s, z) as d output y }"),
              HasSubstr("node 0 (DequantizeLinear 'd')"));
  EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: int8[1, 3] init s = float32[3] {1, 1, 1} init z = int8[2] {0, 0}"
                      "y: float32[1, 3] = DequantizeLinear(x, s, z) as d output y }"),
              HasSubstr("node 0 (DequantizeLinear 'd')"));
  EXPECT_THAT(
      refusal("graph \"g\" { opset 13 input x: float32[1, 2] init w = int8[2, 2] {1, 2, 3, 4} init s = float32[2] {1, 1}"
              "init z = int8[3] {1, 2, 3} f: float32[2, 2] = DequantizeLinear(w, s, z) as d y: float32[1, 2] = MatMul(x, f) output y }"),
      HasSubstr("(DequantizeLinear 'd')"));
}

TEST(HostileModel, IndicesBehindTheEnd) {
  for (const std::string_view index : {"3", "-4", "9223372036854775807", "-9223372036854775808"}) {
    SCOPED_TRACE(index);
    EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[3, 2] init i = int64[1] {" + std::string(index) +
                        "} y: float32[1, 2] = Gather(x, i) as g output y }"),
                HasSubstr("node 0 (Gather 'g')"));
  }
}

TEST(HostileModel, IndicesThatComeWithTheRunAreBounded) {
  const auto session = load_session("native", onnx_of(R"(graph "g" {
    opset 13
    input i: int64[4]
    init x = float32[3, 2] {1, 2, 3, 4, 5, 6}
    y: float32[4, 2] = Gather(x, i)
    output y
  })"))
                           .value();
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  const auto made = session->run_once(std::vector{Tensor::of<std::int64_t>({4}, {kLeast, -1, 1, kMost})});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_THAT(made->at(0).data<float>(), ElementsAre(1, 2, 5, 6, 3, 4, 5, 6));
}

TEST(HostileModel, WindowsThatReachTooFar) {
  for (const std::string attribute : {"strides", "dilations"}) {
    SCOPED_TRACE(attribute);
    for (const std::string number : {"9223372036854775807", "4611686018427387904", "1099511627776", "-1"}) {
      SCOPED_TRACE(number);
      const std::string given = "{" + attribute + " = [" + number + "]}";
      EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[1, 1, 9] init w = float32[1, 1, 2] {1, 2} y = Conv(x, w) " + given +
                          " as c output y }"),
                  HasSubstr("node 0 (Conv 'c')"));
      EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[1, 1, 9] init w = float32[1, 1, 2] {1, 2} y = ConvTranspose(x, w) " +
                          given + " as c output y }"),
                  HasSubstr("node 0 (ConvTranspose 'c')"));
    }
  }
  EXPECT_THAT(
      refusal("graph \"g\" { opset 13 input x: float32[1, 1, 9] y = MaxPool(x) {kernel_shape = [2], strides = [9223372036854775807]} "
              "as p output y }"),
      HasSubstr("node 0 (MaxPool 'p')"));
  // The largest that is allowed runs.
  EXPECT_EQ(
      refusal("graph \"g\" { opset 13 input x: float32[1, 1, 9] init w = float32[1, 1, 2] {1, 2} y = Conv(x, w) {strides = [1000000]} "
              "output y }"),
      "accepted");
}

TEST(HostileModel, ValuesThatNoMachineHasTheMemoryFor) {
  EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[1] init s = int64[2] {1048576, 65536}"
                      "y: float32[1048576, 65536] = Expand(x, s) as e output y }"),
              HasSubstr("node 0 (Expand 'e')"));
  EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[1048576, 1] input z: float32[1, 65536]"
                      "y: float32[1048576, 65536] = Add(x, z) output y }"),
              HasSubstr("memory"));
  EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[1, 1, 100000, 1] init w = float32[1, 1, 1, 1] {1}"
                      "y = ConvTranspose(x, w) {strides = [1000000, 1]} as c output y }"),
              AllOf(HasSubstr("expected"), testing::Not(HasSubstr("accepted"))));
}

TEST(HostileModel, NumbersOfRecurrentLayers) {
  constexpr std::string_view kBegin = R"(graph "g" { opset 14 input x: float32[2, 1, 1]
    init w = float32[1, 4, 1] {1, 1, 1, 1} init r = float32[1, 4, 1] {1, 1, 1, 1} )";
  const auto refused = [&](std::string_view rest) { return refusal(std::string(kBegin) + std::string(rest)); };
  for (const std::string length : {"3", "-1", "2147483647"}) {
    EXPECT_THAT(
        refused("init l = int32[1] {" + length + "} y: float32[2, 1, 1, 1] = LSTM(x, w, r, _, l) {hidden_size = 1} as l output y }"),
        HasSubstr("(LSTM 'l')"));
  }
  EXPECT_THAT(refused("y: float32[2, 1, 1, 2] = LSTM(x, w, r) {hidden_size = 2} as l output y }"), HasSubstr("(LSTM 'l')"));
  EXPECT_THAT(refused("init l = int32[2] {1, 1} y = LSTM(x, w, r, _, l) {hidden_size = 1} as l output y }"), HasSubstr("(LSTM 'l')"));
  EXPECT_THAT(refused("y = LSTM(x, w, r) {hidden_size = 1, activations = [\"Sigmoid\"]} as l output y }"), HasSubstr("(LSTM 'l')"));
}

TEST(HostileModel, NumbersThatSayHowMany) {
  EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[3] init k = int64[1] {4} y, i = TopK(x, k) as t output y output i }"),
              HasSubstr("(TopK 't')"));
  EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[3] init k = int64[1] {-1} y, i = TopK(x, k) as t output y output i }"),
              HasSubstr("(TopK 't')"));
  EXPECT_THAT(
      refusal("graph \"g\" { opset 13 input x: float32[1, 1, 2] init s = float32[3] {1, 1, nan} y = Resize(x, _, s) {mode = \"linear\"} "
              "as r output y }"),
      HasSubstr("(Resize 'r')"));
  EXPECT_THAT(refusal("graph \"g\" { opset 21 input x: float32[1, 3, 2] init s = float32[3] {1, 1, 1} "
                      "y = GroupNormalization(x, s, s) {num_groups = 0} as n output y }"),
              HasSubstr("(GroupNormalization 'n')"));
}

/// A chain of constants, each made of the one before, is worked off and not climbed down.
TEST(HostileModel, ALongChainOfConstants) {
  std::string text = "graph \"g\" { opset 13 init s = float32[] {1} init a0 = int8[2] {1, 2} input x: float32[2]\n";
  text += "d0: float32[2] = DequantizeLinear(a0, s)\n";
  constexpr int kLong = 3000;
  for (int i = 1; i < kLong; ++i) {
    const std::string before = std::to_string(i - 1);
    const std::string own = std::to_string(i);
    text += "a" + own + ": int8[2] = QuantizeLinear(d" + before + ", s, z)\n" + "d" + own + ": float32[2] = DequantizeLinear(a" + own +
            ", s)\n";
  }
  text.insert(text.find("input x"), "init z = int8[] {0} ");
  text += "y: float32[2] = Add(x, d" + std::to_string(kLong - 1) + ") output y }";
  const auto session = load_session("native", onnx_of(text));
  ASSERT_TRUE(session.has_value()) << session.error().message;
  const auto made = (*session)->run_once(std::vector{Tensor::of<float>({2}, {10, 20})});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_THAT(made->at(0).data<float>(), ElementsAre(11, 22));
}

/// Inputs that are no numbers go through every kind of layer.
TEST(HostileModel, InputsThatAreNoNumbersEndARunAsAnyOthers) {
  const auto session = load_session("native", onnx_of(R"(graph "g" {
    opset 13
    input x: float32[2, 1, 2]
    init k = int64[1] {2}
    init s = float32[] {0.5}
    init z = uint8[] {7}
    init w = float32[1, 4, 2] {1, 1, 1, 1, 1, 1, 1, 1}
    init r = float32[1, 4, 1] {1, 1, 1, 1}
    v: float32[2, 1, 2], i: int64[2, 1, 2] = TopK(x, k)
    n: int64[2, 1, 2] = Cast(v) {to = 7}
    t: float32[2, 1, 2, 1, 2] = Gather(x, n)
    q: uint8[2, 1, 2, 1, 2] = QuantizeLinear(t, s, z)
    h: float32[2, 1, 1, 1] = LSTM(v, w, r) {hidden_size = 1}
    output q
    output h
    output i
  })"));
  ASSERT_TRUE(session.has_value()) << session.error().message;
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto made = (*session)->run_once(std::vector{Tensor::of<float>({2, 1, 2}, {kNan, kInfinity, -kInfinity, kNan})});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_THAT(made->at(2).data<std::int64_t>(), Each(testing::AllOf(testing::Ge(0), testing::Le(1))));
}

}  // namespace
}  // namespace moru::runtime
