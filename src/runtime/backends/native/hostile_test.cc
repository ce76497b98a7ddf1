// SPDX-License-Identifier: Apache-2.0
// Models that the reader takes and that mean harm: each is refused when it is loaded, with the node's name, or runs without it.
#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "model/formats/onnx/onnx.h"
#include "model/formats/tflite/tflite.h"
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

TEST(HostileModel, BordersThatReachTooFar) {
  for (const std::string pads : {"[9223372036854775807, 0]", "[0, 9223372036854775807]", "[4611686018427387904, 4611686018427387904]",
                                 "[1099511627776, 0]", "[-9223372036854775808, 0]", "[-1, 0]", "[0]", "[0, 0, 0, 0]"}) {
    SCOPED_TRACE(pads);
    const std::string given = "{pads = " + pads + "}";
    const std::string window = "{kernel_shape = [2], pads = " + pads + "}";
    const std::string input = "graph \"g\" { opset 13 input x: float32[1, 1, 9] init w = float32[1, 1, 2] {1, 2} ";
    EXPECT_THAT(refusal(input + "y = Conv(x, w) " + given + " as c output y }"), HasSubstr("node 0 (Conv 'c')"));
    EXPECT_THAT(refusal(input + "y = ConvTranspose(x, w) " + given + " as c output y }"), HasSubstr("node 0 (ConvTranspose 'c')"));
    EXPECT_THAT(refusal(input + "y = MaxPool(x) " + window + " as p output y }"), HasSubstr("node 0 (MaxPool 'p')"));
    EXPECT_THAT(refusal(input + "y = AveragePool(x) " + window + " as p output y }"), HasSubstr("node 0 (AveragePool 'p')"));
  }
  for (const std::string kernel : {"9223372036854775807", "1099511627776", "0", "-1", "10"}) {
    SCOPED_TRACE(kernel);
    EXPECT_THAT(
        refusal("graph \"g\" { opset 13 input x: float32[1, 1, 9] y = MaxPool(x) {kernel_shape = [" + kernel + "]} as p output y }"),
        HasSubstr("node 0 (MaxPool 'p')"));
  }
  for (const std::string group : {"0", "-1", "3", "9223372036854775807"}) {
    SCOPED_TRACE(group);
    EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[1, 2, 9] init w = float32[2, 1, 2] {1, 2, 3, 4} y = Conv(x, w) {group = " +
                        group + "} as c output y }"),
                HasSubstr("node 0 (Conv 'c')"));
  }
}

TEST(HostileModel, MovesThatReachTooFar) {
  const auto moved = [](std::string_view op, std::string_view numbers, std::string_view count) {
    return refusal("graph \"g\" { opset 13 input x: float32[2, 3] init n = int64[" + std::string(count) + "] {" + std::string(numbers) +
                   "} y = " + std::string(op) + "(x, n) as m output y }");
  };
  for (const std::string_view far : {"9223372036854775807, 9223372036854775807", "4611686018427387904, 4", "-1, 1"}) {
    SCOPED_TRACE(far);
    EXPECT_THAT(moved("Tile", far, "2"), HasSubstr("(Tile 'm')"));
  }
  EXPECT_THAT(moved("Pad", "9223372036854775807, 0, 9223372036854775807, 0", "4"), HasSubstr("(Pad 'm')"));
  EXPECT_THAT(moved("Pad", "0, 0, 0, -4", "4"), HasSubstr("(Pad 'm')"));
  EXPECT_THAT(moved("Reshape", "9223372036854775807, 2", "2"), HasSubstr("(Reshape 'm')"));
  EXPECT_THAT(moved("Reshape", "-1, -1", "2"), HasSubstr("(Reshape 'm')"));
  EXPECT_THAT(moved("Expand", "9223372036854775807, 2, 3", "3"), HasSubstr("(Expand 'm')"));
  // Ends of a slice are cut to what there is; steps may be huge, and not 0.
  EXPECT_THAT(refusal("graph \"g\" { opset 13 input x: float32[4] init s = int64[1] {0} init e = int64[1] {4} init a = int64[1] {0} "
                      "init t = int64[1] {0} y = Slice(x, s, e, a, t) as m output y }"),
              HasSubstr("(Slice 'm')"));
  const auto session = load_session("native", onnx_of(R"(graph "g" { opset 13
    input x: float32[4]
    init s = int64[1] {-9223372036854775808} init e = int64[1] {9223372036854775807}
    init a = int64[1] {0} init t = int64[1] {9223372036854775807}
    y = Slice(x, s, e, a, t)
    output y })"));
  ASSERT_TRUE(session.has_value()) << session.error().message;
  EXPECT_THAT((*session)->run_once(std::vector{Tensor::of<float>({4}, {1, 2, 3, 4})}).value().front().data<float>(), ElementsAre(1));
}

/// Values that are one another: an input that is an output, an output that is there twice, and one that later steps would like to
/// overwrite.
TEST(HostileModel, ValuesThatAreOneAnother) {
  const auto session = load_session("native", onnx_of(R"(graph "g" { opset 13
    input x: float32[2, 2]
    init s = int64[1] {4}
    r: float32[4] = Reshape(x, s)
    a: float32[4] = Relu(r)
    b: float32[4] = Neg(a)
    i: float32[2, 2] = Identity(x)
    output x
    output a
    output i
    output b
    output r
  })"));
  ASSERT_TRUE(session.has_value()) << session.error().message;
  const auto made = (*session)->run_once(std::vector{Tensor::of<float>({2, 2}, {-1, 2, -3, 4})});
  ASSERT_TRUE(made.has_value()) << made.error().message;
  EXPECT_THAT(made->at(0).data<float>(), ElementsAre(-1, 2, -3, 4));
  EXPECT_THAT(made->at(1).data<float>(), ElementsAre(0, 2, 0, 4));
  EXPECT_THAT(made->at(2).data<float>(), ElementsAre(-1, 2, -3, 4));
  EXPECT_THAT(made->at(3).data<float>(), ElementsAre(0, -2, 0, -4));
  EXPECT_THAT(made->at(4).data<float>(), ElementsAre(-1, 2, -3, 4));
}

std::string tflite_of(std::string_view text) {
  auto graph = model::parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return model::write_tflite(*graph).value_or("");
}

/// A TFLite file's tensors may lie in one buffer (the writer puts equal ones there), and its bytes are the caller's: gone after loading.
TEST(HostileModel, TensorsOfOneBufferInBytesThatGoAway) {
  auto bytes = std::make_unique<std::string>(tflite_of(R"(graph "g" {
    input x: float32[?, 2]
    init a = float32[2] {1, 2}
    init b = float32[2] {1, 2}
    s: float32[?, 2] = tflite::ADD(x, a)
    t: float32[?, 2] = tflite::MUL(s, b)
    output t
    output x
  })"));
  const auto session = load_session("native", *bytes);
  ASSERT_TRUE(session.has_value()) << session.error().message;
  std::ranges::fill(*bytes, '\xff');
  bytes.reset();
  const auto one = (*session)->run_once(std::vector{Tensor::of<float>({1, 2}, {10, 20})}).value();
  EXPECT_THAT(one[0].data<float>(), ElementsAre(11, 44));
  EXPECT_THAT(one[1].data<float>(), ElementsAre(10, 20));
  const auto two = (*session)->run_once(std::vector{Tensor::of<float>({2, 2}, {10, 20, 30, 40})});  // planned anew
  ASSERT_TRUE(two.has_value()) << two.error().message;
  EXPECT_THAT(two->at(0).data<float>(), ElementsAre(11, 44, 31, 84));
}

TEST(HostileModel, AScaleOfNothingInTflite) {
  const auto session = load_session("native", tflite_of(R"(graph "g" {
    input x: int8[1, 2] quant {scales = [0], zero_points = [0], axis = 0}
    y: int8[1, 2] quant {scales = [1], zero_points = [0], axis = 0} = tflite::QUANTIZE(x)
    output y
  })"));
  ASSERT_FALSE(session.has_value());
  EXPECT_THAT(session.error().message, HasSubstr("node 0 (DequantizeLinear): found scale 0"));
}

/// The words of our own that a file may use as well, with numbers that no pass of ours writes.
TEST(HostileModel, NumbersOfOurOwnOps) {
  constexpr std::string_view kBegin = R"(graph "g" { opset 13 opset "moru" 1 input x: int8[1, 1, 4] init z = int8[] {0}
    init w = int8[1, 1, 2] {1, 2} init f = float32[] {0.5} init n = float32[] {nan} init h = float32[] {3e38} )";
  const auto refused = [&](std::string_view rest) { return refusal(std::string(kBegin) + std::string(rest)); };
  EXPECT_THAT(refused("y = moru::QConv(x, z, w, z, f, z) {low = 5, high = -5} as q output y }"), HasSubstr("(QConv 'q')"));
  EXPECT_THAT(refused("y = moru::QConv(x, z, w, z, f, z) {low = -999, high = 999} as q output y }"), HasSubstr("(QConv 'q')"));
  EXPECT_THAT(refused("y = moru::QConv(x, z, w, z, n, z) as q output y }"), HasSubstr("(QConv 'q')"));
  EXPECT_THAT(refused("y = moru::QConv(x, w, w, z, f, z) as q output y }"), HasSubstr("(QConv 'q')"));
  EXPECT_THAT(refused("y = moru::QConv(x, z, w, z, f, z) {strides = [9223372036854775807]} as q output y }"), HasSubstr("(QConv 'q')"));
  EXPECT_THAT(refused("y = moru::QAdd(x, z, n, x, z, f, z) as q output y }"), HasSubstr("(QAdd 'q')"));
  EXPECT_THAT(refused("y = moru::QAdd(x, z, h, x, z, f, z) as q output y }"), HasSubstr("(QAdd 'q')"));
  EXPECT_THAT(refused("y = moru::QMul(x, z, x, z, n, z) as q output y }"), HasSubstr("(QMul 'q')"));
  EXPECT_THAT(refused("y = moru::QAveragePool(x, z, n, f, z) as q output y }"), HasSubstr("(QAveragePool 'q')"));
  EXPECT_THAT(refused("y = moru::QTable(x, w) as q output y }"), HasSubstr("(QTable 'q')"));
}

/// Scales that are numbers, whose quotient is none.
TEST(HostileModel, ScalesWhoseQuotientIsNoNumber) {
  EXPECT_THAT(refusal(R"(graph "g" { opset 13
    input x: uint8[1, 2] init big = float32[] {3e38} init small = float32[] {1e-38} init z = uint8[] {0} init wz = uint8[] {0}
    init w = uint8[2, 1] {1, 2}
    y: uint8[1, 1] = QLinearMatMul(x, big, z, w, big, wz, small, z) as q output y })"),
              AllOf(HasSubstr("'q'"), testing::Not(HasSubstr("accepted"))));
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
