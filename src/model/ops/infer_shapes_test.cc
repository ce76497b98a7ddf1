// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

/// The type of y after inference, or the error.
std::string infer(std::string_view body) {
  auto graph = parse_text("graph \"test\" {\n" + std::string(body) + "\noutput y\n}");
  if (!graph) return graph.error().message;
  if (const Status status = infer_shapes(*graph); !status) return status.error().message;
  const ValueType& type = graph->value(graph->outputs[0]).type;
  return std::string(type.dtype ? to_string(*type.dtype) : "?") + (type.shape ? to_string(*type.shape) : "[*]");
}

TEST(InferShapes, ASymbolicBatchPassesThroughANetwork) {
  EXPECT_EQ(infer(R"(input x: float32[N, 1, 28, 28]
    input w1: float32[8, 1, 3, 3]
    input b1: float32[8]
    input w2: float32[10, 1568]
    input bias: float32[10]
    a = Conv(x, w1, b1) {pads = [1, 1, 1, 1]}
    b = Relu(a)
    c = MaxPool(b) {kernel_shape = [2, 2], strides = [2, 2]}
    d = BatchNormalization(c, b1, b1, b1, b1)
    e = Flatten(d)
    f = Gemm(e, w2, bias) {transB = 1}
    y = Softmax(f))"),
            "float32[N, 10]");
}

TEST(InferShapes, ReshapeWithASymbolicBatch) {
  constexpr std::string_view kInput = "input x: float32[N, 64, 2, 1]\n";
  EXPECT_EQ(infer(std::string(kInput) + "init s = int64[2] {0, -1}\ny = Reshape(x, s)"), "float32[N, 128]");
  EXPECT_EQ(infer(std::string(kInput) + "init s = int64[2] {-1, 128}\ny = Reshape(x, s)"), "float32[N, 128]");
  EXPECT_EQ(infer(std::string(kInput) + "init s = int64[2] {-1, 64}\ny = Reshape(x, s)"), "float32[?, 64]");
  EXPECT_EQ(infer(std::string(kInput) + "init s = int64[2] {4, -1}\ny = Reshape(x, s)"), "float32[4, ?]");
  EXPECT_EQ(infer(std::string(kInput) + "input s: int64[3]\ny = Reshape(x, s)"), "float32[?, ?, ?]");
  EXPECT_EQ(infer(std::string(kInput) + "input s: int64[*]\ny = Reshape(x, s)"), "float32[*]");
}

TEST(InferShapes, AShapeComputedFromConstantsIsKnown) {
  EXPECT_EQ(infer(R"(input x: float32[N, 6]
    init a = int64[1] {0}
    init b = int64[2] {2, 3}
    shape = Concat(a, b) {axis = 0}
    y = Reshape(x, shape))"),
            "float32[N, 2, 3]");
}

TEST(InferShapes, BroadcastOfSymbols) {
  EXPECT_EQ(infer("input a: float32[N, 1, 3]\ninput b: float32[N, 4, 1]\ny = Add(a, b)"), "float32[N, 4, 3]");
  EXPECT_EQ(infer("input a: float32[N]\ninput b: float32[M]\ny = Add(a, b)"), "float32[?]");
  EXPECT_EQ(infer("input a: float32[N]\ninput b: float32[5]\ny = Add(a, b)"), "float32[5]");
  EXPECT_EQ(infer("input a: float32[*]\ninput b: float32[5]\ny = Add(a, b)"), "float32[*]");
}

TEST(InferShapes, SymbolsInOtherPlaces) {
  EXPECT_EQ(infer("input x: float32[N, 3, H, W]\ny = Transpose(x) {perm = [0, 2, 3, 1]}"), "float32[N, H, W, 3]");
  EXPECT_EQ(infer("input x: float32[N, 3, H, W]\ny = GlobalAveragePool(x)"), "float32[N, 3, 1, 1]");
  EXPECT_EQ(infer("input x: float32[N, 3, H, 8]\ny = MaxPool(x) {kernel_shape = [2, 2], strides = [2, 2]}"), "float32[N, 3, ?, 4]");
  EXPECT_EQ(infer("input a: float32[N, 3]\ninput b: float32[N, M]\ny = Concat(a, b) {axis = 1}"), "float32[N, ?]");
  EXPECT_EQ(infer("input x: float32[N, 3]\ninit p = int64[4] {0, 1, 0, 1}\ny = Pad(x, p)"), "float32[N, 5]");
  EXPECT_EQ(infer("input a: float32[B, M, K]\ninput b: float32[K, 5]\ny = MatMul(a, b)"), "float32[B, M, 5]");
  EXPECT_EQ(infer("input x: float32[N, 4]\ninput s: float32[]\ninput z: int8[]\ny = QuantizeLinear(x, s, z)"), "int8[N, 4]");
}

TEST(InferShapes, MergesWithDeclaredTypes) {
  EXPECT_EQ(infer("input x: float32[N, 2]\ny: float32[batch, 2] = Relu(x)"), "float32[N, 2]");
  EXPECT_EQ(infer("input x: float32[N, 2]\ny: float32[7, 2] = Relu(x)"), "float32[7, 2]");
  EXPECT_EQ(infer("input x: float32[*]\ny: float32[N, 2] = Relu(x)"), "float32[N, 2]");
  EXPECT_THAT(infer("input x: float32[N, 2]\ny: float32[N, 3] = Relu(x)"),
              HasSubstr("node 0 (Relu): output 'y': found float32[N, 2], expected float32[N, 3] as declared"));
  EXPECT_THAT(infer("input x: float32[2]\ny: int8[2] = Relu(x)"), HasSubstr("found float32[2], expected int8[2] as declared"));
  EXPECT_THAT(infer("input x: float32[2]\ny: float32[1, 2] = Relu(x)"), HasSubstr("as declared"));
}

struct BadGraph {
  std::string_view body;
  std::string_view message;
};

TEST(InferShapes, RefusesWithAMessageThatSaysWhy) {
  const std::vector<BadGraph> cases = {
      {"input x: int32[1, 1, 3]\ninput w: float32[1, 1, 2]\ny = Conv(x, w)", "input 0 (X): found int32, expected one of float32, float64"},
      {"input x: float32[1, 2, 3]\ninput w: float32[1, 1, 2, 2]\ny = Conv(x, w)",
       "input 1 (W): found rank 4 [1, 1, 2, 2], expected 3 [O, C/group, kernel...]"},
      {"input x: float32[1, 2]\ninput w: float32[1, 1]\ny = Conv(x, w)", "input 0 (X): found shape [1, 2], expected [N, C, spatial...]"},
      {"input x: float32[1, 3, 5]\ninput w: float32[4, 2, 2]\ny = Conv(x, w)",
       "input 1 (W): found 2 channels a group in [4, 2, 2], expected 3 / 1"},
      {"input x: float32[1, 4, 5]\ninput w: float32[3, 2, 2]\ny = Conv(x, w) {group = 2}",
       "found 3 output channels, expected a multiple of group 2"},
      {"input x: float32[1, 4, 5]\ninput w: float32[3, 2, 2]\ny = Conv(x, w) {group = 0}", "'group': found 0, expected 1 or more"},
      {"input x: float32[1, 1, 5]\ninput w: float32[3, 1, 2]\ninput b: float32[4]\ny = Conv(x, w, b)",
       "input 2 (B): found 4 in axis 0 of [4], expected 3"},
      {"input x: float32[1, 1, 5]\ninput w: float32[3, 1, 6]\ny = Conv(x, w)",
       "spatial axis 0: found extent 5 with pads 0 and 0, expected at least 6"},
      {"input x: float32[1, 1, 5]\ninput w: float32[3, 1, 2]\ny = Conv(x, w) {kernel_shape = [3]}", "expected 3 (kernel_shape)"},
      {"input x: float32[1, 1, 5]\ninput w: float32[3, 1, 2]\ny = Conv(x, w) {pads = [1]}", "'pads': found 1 numbers, expected 2"},
      {"input x: float32[1, 1, 5]\ninput w: float32[3, 1, 2]\ny = Conv(x, w) {strides = [0]}", "'strides': found 0, expected 1 to"},
      {"input x: float32[1, 1, 5]\ninput w: float32[3, 1, 2]\ny = Conv(x, w) {dilations = [9223372036854775807]}",
       "'dilations': found 9223372036854775807"},
      {"input x: float32[1, 1, 5]\ninput w: float32[3, 1, 2]\ny = Conv(x, w) {auto_pad = \"LEFT\"}", "'auto_pad': found 'LEFT'"},
      {"input x: float32[1, 1, 5]\ninput w: float32[3, 1, 2]\ny = Conv(x, w) {auto_pad = \"VALID\", pads = [1, 1]}",
       "'pads': found it beside auto_pad"},
      {"input x: float32[1, 1, 5]\ninput w: float32[3, 1, 0]\ny = Conv(x, w)", "kernel: found [0]"},
      {"input x: float32[1, 1, 5, 5]\ny = MaxPool(x) {kernel_shape = [2]}", "found rank 4 [1, 1, 5, 5], expected 3"},
      {"input x: float32[1, 1, 5]\ny = MaxPool(x) {kernel_shape = ints[]}", "'kernel_shape': found no number"},
      {"input x: float32[1, 2]\ninput s: float32[2]\ny, m = BatchNormalization(x, s, s, s, s)",
       "found 2 outputs, expected 1 without training_mode"},
      {"input x: float32[1, 2]\ninput s: float32[3]\ny = BatchNormalization(x, s, s, s, s)",
       "input 1 (scale): found 3 in axis 0 of [3], expected 2"},
      {"input x: bool[1]\ny = Relu(x)", "found bool, expected one of float32"},
      {"input x: float32[1]\ninput m: float32[1]\ny = Clip(x, m)", "input 1 (min): found rank 1 [1], expected 0 a scalar"},
      {"input x: float32[1]\ninput m: int8[]\ny = Clip(x, m)", "input 1 (min): found int8, expected float32"},
      {"input a: float32[2, 3]\ninput b: float32[2, 4]\ny = MatMul(a, b)",
       "input 1 (B): found 2 in axis 0 of [2, 4], expected 3 (K of input 0 (A))"},
      {"input a: float32[]\ninput b: float32[2, 4]\ny = MatMul(a, b)", "input 0 (A): found a scalar"},
      {"input a: float32[2, 3]\ninput b: float32[2, 4]\ny = Gemm(a, b)", "expected 3 (K of input 0 (A))"},
      {"input a: float32[2, 3]\ninput b: float32[4]\ny = Add(a, b)",
       "shapes [2, 3] and [4]: found 3 beside 4, expected equal extents or 1"},
      {"input a: float32[2]\ninput b: int32[2]\ny = Add(a, b)", "input 1 (B): found int32, expected float32"},
      {"input x: float32[2]\ny = Softmax(x) {axis = 1}", "axis: found 1, expected -1 to 0 for rank 1"},
      {"input x: float32[2]\ny = Flatten(x) {axis = 2}", "'axis': found 2, expected -1 to 1"},
      {"input x: float32[2, 3]\ny = Transpose(x) {perm = [0, 0]}", "'perm': found [0, 0], expected each axis of rank 2 once"},
      {"input a: float32[2, 3]\ninput b: float32[3, 3]\ny = Concat(a, b) {axis = 1}",
       "input 1 (inputs): found 3 in axis 0 of [3, 3], expected 2"},
      {"input a: float32[2]\ninput b: float32[2, 1]\ny = Concat(a, b) {axis = 0}", "found rank 2 [2, 1], expected 1 as input 0"},
      {"input x: float32[2, 3]\ninit s = int64[1] {5}\ny = Reshape(x, s)", "found [5] with 5 elements, expected 6"},
      {"input x: float32[2, 3]\ninit s = int64[2] {-1, -1}\ny = Reshape(x, s)", "found -1 twice"},
      {"input x: float32[2, 3]\ninit s = int64[2] {-1, 4}\ny = Reshape(x, s)", "expected one that divides [2, 3]"},
      {"input x: float32[2, 3]\ninit s = int64[1] {-2}\ny = Reshape(x, s)", "found -2, expected -1 or more"},
      {"input x: float32[6]\ninit s = int64[2] {6, 0}\ny = Reshape(x, s)", "found 0 at 1, expected an axis of the input there"},
      {"input x: float32[6]\ninit s = int32[1] {6}\ny = Reshape(x, s)", "input 1 (shape): found int32, expected int64"},
      {"input x: float32[6]\ninit p = int64[1] {6}\ny = Pad(x, p)", "input 1 (pads): found 1 numbers, expected 2"},
      {"input x: float32[6]\ninit p = int64[2] {-3, -4}\ny = Pad(x, p)", "expected to cut no more than its 6"},
      {"input x: float32[6]\ninit p = int64[2] {9223372036854775807, 1}\ny = Pad(x, p)",
       "found 9223372036854775807, expected -2^40 to 2^40"},
      {"input x: float32[6]\ninit p = int64[2] {1000000000000, 1}\ny = Pad(x, p)", "more than 2^40 bytes"},
      {"input x: float32[6]\ninit p = int64[2] {1, 1}\ny = Pad(x, p) {mode = \"mirror\"}", "'mode': found 'mirror', expected constant"},
      {"input x: float32[6]\ninit p = int64[2] {1, 1}\ninput c: int8[]\ny = Pad(x, p, c)",
       "input 2 (constant_value): found int8, expected float32"},
      {"input x: float32[2, 3]\ninput s: float32[4]\ny = QuantizeLinear(x, s)", "input 1 (y_scale): found 4 in axis 0 of [4], expected 3"},
      {"input x: float32[2, 3]\ninput s: float32[3]\ninput z: int8[]\ny = QuantizeLinear(x, s, z)",
       "input 2 (y_zero_point): found [], expected [3] as the scale"},
      {"input x: float32[2, 3]\ninput s: float32[]\ninput z: int32[]\ny = QuantizeLinear(x, s, z)",
       "found int32, expected one of int8, uint8"},
      {"input x: int8[2, 3]\ninput s: float32[]\ninput z: uint8[]\ny = DequantizeLinear(x, s, z)",
       "found uint8, expected int8 as input 0 (x)"},
      {"input x: float32[1000000, 1000000]\ninput w: float32[1000000, 1000000]\ny = Add(x, w)", "found more than 2^40 bytes"},
      {"input x: float32[9000000000000000000]\ny = Relu(x)", "found an extent above 2^40"}};
  for (const BadGraph& bad : cases) EXPECT_THAT(infer(bad.body), HasSubstr(bad.message)) << bad.body;
}

}  // namespace
}  // namespace moru::model
