// SPDX-License-Identifier: Apache-2.0
#include "model/targets/check.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/ops/verify.h"
#include "model/targets/rules.h"

namespace moru::model::targets {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Target target_of(std::string_view spec) {
  const std::string text =
      fmt::format("apiVersion: moru.dev/v1\nkind: Target\nmetadata: {{name: t}}\nspec: {{doc: d, runtime: r, {}}}\n", spec);
  const auto document = ConfigObject::parse(text, "t.yaml");
  EXPECT_TRUE(document.has_value()) << document.error().message;
  auto target = read_target(*document);
  EXPECT_TRUE(target.has_value()) << target.error().message;
  return target.value_or(Target());
}

Graph graph_of(std::string_view body, int opset = 18) {
  auto graph = parse_text(fmt::format("graph \"g\" {{ opset {} {} }}", opset, body));
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  if (!graph) return {};
  const auto status = infer_shapes(*graph);
  EXPECT_TRUE(status.has_value()) << status.error().message;
  return *graph;
}

Report report_of(std::string_view body, std::string_view spec) {
  auto checked = check(graph_of(body), target_of(spec));
  EXPECT_TRUE(checked.has_value()) << checked.error().message;
  return checked ? checked->report : Report{};
}

/// The reasons of node `index`.
std::vector<std::string> reasons(std::string_view body, std::string_view spec, std::size_t index = 0) {
  const Report report = report_of(body, spec);
  return index < report.nodes.size() ? report.nodes[index].reasons : std::vector<std::string>{"no such node"};
}

constexpr std::string_view kConv = "input x: float32[1, 1, 4, 4] init w = float32[1, 1, 2, 2] {1, 2, 3, 4} y = Conv(x, w) as c output y";

TEST(Check, AnOpThatIsListedRuns) {
  const Report report = report_of(kConv, "formats: [onnx], ops: [{ops: [Conv]}]");
  EXPECT_TRUE(report.met());
  EXPECT_EQ(report.nodes[0].place, Place::kAccelerator);
  EXPECT_EQ(report.nodes[0].name, "c");
  EXPECT_EQ(report.macs, 36);
  EXPECT_EQ(report.accelerator_macs, 36);
  EXPECT_EQ(report.pieces, 1U);
}

TEST(Check, AnOpThatIsNotListedFallsBackOrIsRefused) {
  const std::string_view body = "input x: float32[2] y = Elu(x) output y";
  const Report refused = report_of(body, "formats: [onnx], ops: [{ops: [Conv]}], instead: {Elu: use Relu}");
  EXPECT_EQ(refused.nodes[0].place, Place::kRefused);
  EXPECT_THAT(refused.nodes[0].changes, ElementsAre("use Relu"));
  EXPECT_FALSE(refused.taken());
  const Report fallback = report_of(body, "formats: [onnx], ops: [{ops: [Conv]}], fallback: [any]");
  EXPECT_EQ(fallback.nodes[0].place, Place::kFallback);
  EXPECT_TRUE(fallback.taken());
  EXPECT_FALSE(fallback.met());
  EXPECT_EQ(fallback.pieces, 0U);
  EXPECT_EQ(report_of(body, "formats: [onnx], ops: [{ops: [Conv]}], fallback: [Elu]").nodes[0].place, Place::kFallback);
  EXPECT_EQ(report_of(body, "formats: [onnx], ops: [{ops: [Conv]}], fallback: [Selu]").nodes[0].place, Place::kRefused);
  EXPECT_EQ(report_of(body, "formats: [onnx], ops: [{ops: [Conv]}], fallback: [any], fallback_types: [float32]").nodes[0].place,
            Place::kFallback);
  EXPECT_EQ(report_of(body, "formats: [onnx], ops: [{ops: [Conv]}], fallback: [any], fallback_types: [int8]").nodes[0].place,
            Place::kRefused);
  EXPECT_TRUE(report_of(body, "formats: [onnx], ops: [{ops: [any]}]").met());
}

TEST(Check, AnyIsOfTheFormatsOwnOps) {
  EXPECT_EQ(report_of("input x: float32[2] y: float32[2] = \"com.custom\"::Thing(x) output y", "formats: [onnx], ops: [{ops: [any]}]")
                .nodes[0]
                .op,
            "com.custom.Thing");
  EXPECT_FALSE(
      report_of("input x: float32[2] y: float32[2] = \"com.custom\"::Thing(x) output y", "formats: [onnx], ops: [{ops: [any]}]").met());
  EXPECT_TRUE(report_of("input x: float32[2] y: float32[2] = \"com.custom\"::Thing(x) output y",
                        "formats: [onnx], ops: [{ops: [com.custom.Thing]}]")
                  .met());
}

TEST(Check, ElementTypes) {
  EXPECT_THAT(reasons(kConv, "formats: [onnx], types: [float16, bfloat16], ops: [{ops: [Conv]}]"),
              ElementsAre("input: found float32, expected float16 or bfloat16", "constant: found float32, expected float16 or bfloat16",
                          "output: found float32, expected float16 or bfloat16"));
  const Report report = report_of(kConv, "formats: [onnx], types: [int8, uint8], ops: [{ops: [Conv]}]");
  EXPECT_THAT(report.changes, ElementsAre(::testing::Field(&Change::text, HasSubstr("moru compress"))));
  EXPECT_THAT(reasons(kConv, "formats: [onnx], types: [int8], ops: [{ops: [Conv], types: [float32]}]"), IsEmpty());
  EXPECT_THAT(reasons("input x: float32[2] input z: float32[2] y = Less(x, z) output y",
                      "formats: [onnx], ops: [{ops: [Less], types: [float32], outputs: [bool]}]"),
              IsEmpty());
  EXPECT_THAT(reasons(kConv, "formats: [onnx], types: [float32], weights: [int8], ops: [{ops: [Conv], weights: [float16]}]"),
              ElementsAre("constant: found float32, expected float16"));
}

TEST(Check, AFloatNodeIsOneFault) {
  EXPECT_THAT(reasons(kConv, "formats: [onnx], types: [int8], ops: [{ops: [Conv]}]"), ElementsAre("found float32, expected int8"));
}

TEST(Check, SettingsHaveTypesOfTheirOwn) {
  const std::string_view body = "input x: int8[2] init a = float32[] {0} init b = int8[] {6} y = Clip(x, b) output y";
  EXPECT_THAT(reasons(body, "formats: [onnx], types: [int8], weights: [int4], ops: [{ops: [Clip], weights: [int4]}]"),
              ElementsAre("constant: found int8, expected int4"));
  EXPECT_THAT(reasons(body, "formats: [onnx], types: [int8], ops: [{ops: [Clip], weights: [int4], settings: [1, 2]}]"), IsEmpty());
}

/// A quantised convolution, as ONNX says it.
std::string quantized(int zero_point, bool per_channel = false) {
  return fmt::format(
      "input x: int8[1, 1, 4, 4] init s = float32[] {{0.5}} init z = int8[] {{{}}} init w = int8[1, 1, 2, 2] {{1, 2, 3, 4}} init ws = "
      "float32[{}] {{1}} "
      "xf = DequantizeLinear(x, s, z) wf = DequantizeLinear(w, ws) {{axis = 0}} c = Conv(xf, wf) r = Relu(c) y = QuantizeLinear(r, s, z) "
      "output y",
      zero_point, per_channel ? "1" : "");
}
constexpr std::string_view kBorders =
    "{ops: [QuantizeLinear], types: [float32], outputs: [int8]}, {ops: [DequantizeLinear], types: [int8], outputs: [float32]}";

TEST(Check, AnOpBetweenBordersComputesOnIntegers) {
  const std::string spec = fmt::format("formats: [onnx], types: [int8], ops: [{{ops: [Conv, Relu]}}, {}]", kBorders);
  EXPECT_TRUE(report_of(quantized(3), spec).met()) << report_of(quantized(3), spec).nodes[2].reasons.size();
  EXPECT_FALSE(report_of(kConv, spec).met());
}

TEST(Check, ZeroPoints) {
  const auto spec = [](std::string_view which) {
    return fmt::format("formats: [onnx], types: [int8], symmetric: {}, ops: [{{ops: [Conv, Relu]}}, {}]", which, kBorders);
  };
  EXPECT_TRUE(report_of(quantized(0), spec("all")).met());
  EXPECT_TRUE(report_of(quantized(3), spec("weights")).met());
  const Report report = report_of(quantized(3), spec("all"));
  EXPECT_THAT(report.nodes[2].reasons, ElementsAre("value: found a zero point other than 0, expected 0"));
  EXPECT_EQ(report.count(Place::kRefused), 5U) << "the borders of the weights go with the op";
}

TEST(Check, BordersGoWithTheirOp) {
  const std::string spec = fmt::format("formats: [onnx], types: [int8], fallback: [any], ops: [{{ops: [Relu]}}, {}]", kBorders);
  const Report report = report_of(quantized(0), spec);
  EXPECT_EQ(report.nodes[0].place, Place::kFallback);
  EXPECT_EQ(report.nodes[1].place, Place::kFallback);
  EXPECT_THAT(report.nodes[1].reasons, ElementsAre(HasSubstr("found its op elsewhere")));
}

TEST(Check, TheTypeOfABorderIsNeverFree) {
  const std::string_view body =
      "input x: float32[2] init b = int32[2] {1, 2} init s = float32[] {0.5} f = DequantizeLinear(b, s) y = Add(x, f) output y";
  const Report report = report_of(body, fmt::format("formats: [onnx], ops: [{{ops: [Add]}}, {}]", kBorders));
  EXPECT_THAT(report.nodes[0].reasons, ElementsAre("constant: found int32, expected int8"));
  EXPECT_THAT(report.nodes[0].changes, ElementsAre("keep biases in floats"));
}

TEST(Check, ScalesAChannel) {
  const std::string body =
      "input x: int8[1, 1, 4, 4] init s = float32[] {0.5} init w = int8[2, 1, 2, 2] {1, 2, 3, 4, 5, 6, 7, 8} init ws = float32[2] {1, 2} "
      "xf = DequantizeLinear(x, s) wf = DequantizeLinear(w, ws) {axis = 0} y = Conv(xf, wf) output y";
  const auto spec = [](bool per_channel) {
    return fmt::format("formats: [onnx], types: [int8], ops: [{{ops: [Conv], outputs: [float32], limits: {{per_channel: {}}}}}, {}]",
                       per_channel, kBorders);
  };
  EXPECT_THAT(reasons(body, spec(true), 2), IsEmpty());
  EXPECT_THAT(reasons(body, spec(false), 2), ElementsAre("constant: found a scale a channel, expected one"));
}

TEST(Check, OpenExtents) {
  const std::string_view body = "input x: float32[N, 2] y = Relu(x) output y";
  EXPECT_TRUE(report_of(body, "formats: [onnx], ops: [{ops: [any]}]").met());
  const Report report = report_of(body, "formats: [onnx], static_shapes: true, ops: [{ops: [any]}]");
  EXPECT_THAT(report.nodes[0].reasons, ElementsAre("found a shape that only the run decides, expected known extents"));
  EXPECT_THAT(report.nodes[0].changes, ElementsAre("fix the open extents of the inputs: --dim N=1"));
  EXPECT_EQ(how_to_fix_extents(graph_of("input x: float32[?, N, 2] y = Relu(x) output y")),
            "fix the open extents of the inputs: --dim N=1 --batch 1");
  // Nothing that the caller could fix.
  const Report open = report_of("input x: float32[4] y = NonZero(x) output y", "formats: [onnx], static_shapes: true, ops: [{ops: [any]}]");
  EXPECT_FALSE(open.met());
  EXPECT_THAT(open.nodes[0].changes, IsEmpty());
}

TEST(Check, LimitsOfShapes) {
  const std::string_view relu = "input x: float32[2, 3, 4, 5] y = Relu(x) output y";
  const auto with = [&](std::string_view limits, std::string_view body) {
    return reasons(body, fmt::format("formats: [onnx], ops: [{{ops: [any], limits: {{{}}}}}]", limits));
  };
  EXPECT_THAT(with("max_rank: 3", relu), ElementsAre("found rank 4, expected at most 3"));
  EXPECT_THAT(with("min_rank: 5", relu), ElementsAre("found rank 4, expected at least 5"));
  EXPECT_THAT(with("max_inner_rank: 3", relu), ElementsAre("found 4 axes behind the leading ones, expected at most 3"));
  EXPECT_THAT(with("max_inner_rank: 3", "input x: float32[1, 3, 4, 5] y = Relu(x) output y"), IsEmpty());
  EXPECT_THAT(with("max_inner_rank: 3", "input x: float32[N, 3, 4, 5] y = Relu(x) output y"), IsEmpty());
  EXPECT_THAT(
      with("max_output_inner_rank: 1", "input x: float32[1, 2] init w = float32[2, 3] {1, 2, 3, 4, 5, 6} y = MatMul(x, w) output y"),
      IsEmpty());
  EXPECT_THAT(
      with("max_output_inner_rank: 1", "input x: float32[2, 2] init w = float32[2, 3] {1, 2, 3, 4, 5, 6} y = MatMul(x, w) output y"),
      ElementsAre("found 2 axes behind the leading ones, expected at most 1"));
  EXPECT_THAT(with("max_batch: 1", relu), ElementsAre("found batch 2, expected at most 1"));
  EXPECT_THAT(with("max_elements: 100", relu), ElementsAre("found 120 elements, expected at most 100"));
  EXPECT_THAT(
      with("max_outputs: 1", "input x: float32[1, 1, 4, 4] y, i = MaxPool(x) {kernel_shape = [2, 2]} z = Relu(i) output y output z"),
      Contains(HasSubstr("found 2 outputs in use")));
  EXPECT_THAT(with("keep_batch: true", "input x: float32[2, 3] init a = int64[1] {0} y = ReduceMean(x, a) output y"),
              ElementsAre(HasSubstr("found work along axis 0")));
  EXPECT_THAT(with("keep_batch: true", "input x: float32[2, 3] init a = int64[1] {-1} y = ReduceMean(x, a) output y"), IsEmpty());
}

TEST(Check, LimitsOfWindows) {
  const std::string_view conv =
      "input x: float32[1, 1, 9, 9] init w = float32[1, 1, 2, 3] {1, 2, 3, 4, 5, 6} "
      "y = Conv(x, w) {strides = [2, 4], dilations = [1, 3]} output y";
  const auto with = [&](std::string_view limits) {
    return reasons(conv, fmt::format("formats: [onnx], ops: [{{ops: [any], limits: {{{}}}}}]", limits));
  };
  EXPECT_THAT(with("max_kernel: 2"), ElementsAre("kernel: found 3, expected at most 2"));
  EXPECT_THAT(with("max_stride: 3"), ElementsAre("stride: found 4, expected at most 3"));
  EXPECT_THAT(with("max_dilation: 1"), ElementsAre("dilation: found 3, expected at most 1"));
  EXPECT_THAT(with("equal_dilations: true"), ElementsAre(HasSubstr("dilation: found different ones")));
  EXPECT_THAT(with("max_kernel: 3, max_stride: 4, max_dilation: 3"), IsEmpty());
}

TEST(Check, Attributes) {
  const std::string_view gemm =
      "input x: float32[1, 2] init w = float32[2, 2] {1, 2, 3, 4} y = Gemm(x, w) {transA = 0, transB = 1} output y";
  EXPECT_THAT(reasons(gemm, "formats: [onnx], ops: [{ops: [Gemm], attributes: [{name: transB, is: [\"0\"]}]}]"),
              ElementsAre("transB: found 1, expected 0"));
  EXPECT_THAT(
      reasons(gemm,
              "formats: [onnx], ops: [{ops: [Gemm], attributes: [{name: transB, max: 0}, {name: transA, max: 0}, {name: alpha, max: 0}]}]"),
      ElementsAre("transB: found 1, expected at most 0"));
}

TEST(Check, ConstantInputs) {
  const std::string_view body = "input x: float32[1, 1, 4, 4] input w: float32[1, 1, 2, 2] y = Conv(x, w) output y";
  EXPECT_THAT(reasons(body, "formats: [onnx], ops: [{ops: [Conv], constants: [1, 2]}]"),
              ElementsAre("input 1: found a computed value, expected a constant"));
  EXPECT_THAT(reasons(kConv, "formats: [onnx], ops: [{ops: [Conv], constants: [1, 2]}]"), IsEmpty());
}

TEST(Check, Memory) {
  const Report report = report_of(kConv,
                                  "formats: [onnx], ops: [{ops: [any]}], memory: [{name: flash, bytes: 15, holds: parameters}, "
                                  "{name: RAM, bytes: 100, holds: activations}, {name: cache, bytes: 1, holds: all, beyond: spill}]");
  ASSERT_EQ(report.memory.size(), 3U);
  EXPECT_EQ(report.memory[0].needed, 16);
  EXPECT_FALSE(report.memory[0].fits());
  EXPECT_EQ(report.memory[1].needed, (16 + 9) * 4);
  EXPECT_TRUE(report.memory[1].fits());
  EXPECT_EQ(report.memory[2].needed, 16 + (16 + 9) * 4);
  EXPECT_FALSE(report.met());
  EXPECT_TRUE(report_of(kConv, "formats: [onnx], ops: [{ops: [any]}], memory: [{name: cache, bytes: 1, holds: all, beyond: spill}]").met());
}

TEST(Check, AFloatModelIsRefusedWholeWhereOnlyIntegersAreTaken) {
  const Report report = report_of(kConv, "formats: [onnx], types: [int8], full_int8: true, fallback: [any], ops: [{ops: [Conv]}]");
  EXPECT_THAT(report.refused, HasSubstr("expected one that is quantised"));
  EXPECT_EQ(report.nodes[0].place, Place::kRefused);
  EXPECT_FALSE(report.taken());
}

TEST(Check, OnePieceLeavesTheRestToTheProcessor) {
  const std::string_view body =
      "input x: float32[1, 8] init w = float32[8, 8] {"
      "1,0,0,0,0,0,0,0, 0,1,0,0,0,0,0,0, 0,0,1,0,0,0,0,0, 0,0,0,1,0,0,0,0, 0,0,0,0,1,0,0,0, 0,0,0,0,0,1,0,0, 0,0,0,0,0,0,1,0, "
      "0,0,0,0,0,0,0,1} "
      "a = MatMul(x, w) b = Elu(a) c = Relu(b) output c";
  const Report report = report_of(body, "formats: [onnx], one_piece: true, fallback: [any], ops: [{ops: [MatMul, Relu]}]");
  EXPECT_EQ(report.pieces, 1U);
  EXPECT_EQ(report.nodes[0].place, Place::kAccelerator);
  EXPECT_EQ(report.nodes[2].place, Place::kFallback);
  EXPECT_THAT(report.nodes[2].reasons, ElementsAre(HasSubstr("outside of the one piece")));
  EXPECT_EQ(report_of(body, "formats: [onnx], fallback: [any], ops: [{ops: [MatMul, Relu]}]").pieces, 2U);
}

TEST(Check, AModelInOtherWordsIsConvertedFirst) {
  const Report report = report_of(kConv, "formats: [tflite], ops: [{ops: [CONV_2D, TRANSPOSE, RESHAPE]}]");
  EXPECT_TRUE(report.converted);
  EXPECT_EQ(report.format, "tflite");
  EXPECT_TRUE(report.met());
  EXPECT_THAT(report.nodes, Contains(::testing::Field(&NodeReport::op, "CONV_2D")));
}

TEST(Check, WhatCannotBeConvertedIsNamed) {
  const Report report = report_of("input x: float32[2, 2] r = Relu(x) as first y = Det(r) as second output y",
                                  "formats: [tflite], ops: [{ops: [any]}], instead: {Det: leave it out}");
  ASSERT_EQ(report.nodes.size(), 1U);
  EXPECT_EQ(report.nodes[0].name, "second");
  EXPECT_EQ(report.nodes[0].op, "Det");
  EXPECT_EQ(report.nodes[0].index, 1U);
  EXPECT_EQ(report.nodes[0].place, Place::kRefused);
  EXPECT_THAT(report.nodes[0].changes, ElementsAre("leave it out"));
  EXPECT_THAT(report.refused, HasSubstr("found 1 nodes without counterpart in tflite"));
  EXPECT_FALSE(report.met());
}

TEST(Check, TfliteWords) {
  const std::string_view body =
      "input x: int8[1, 4, 4, 1] quant {scales = [0.5], zero_points = [3], axis = 0} "
      "init w: int8[1, 2, 2, 1] quant {scales = [1.0], zero_points = [1], axis = 0} = int8[1, 2, 2, 1] {1, 2, 3, 4} "
      "init b: int32[1] quant {scales = [0.5], zero_points = [0], axis = 0} = int32[1] {0} "
      "y: int8[1, 3, 3, 1] quant {scales = [1.0], zero_points = [0], axis = 0} = tflite::CONV_2D(x, w, b) {padding = \"VALID\", stride_h = "
      "1, "
      "stride_w = 1, dilation_h_factor = 1, dilation_w_factor = 1, fused_activation_function = \"RELU\"} output y";
  EXPECT_TRUE(report_of(body, "formats: [tflite], types: [int8], ops: [{ops: [CONV_2D]}]").met());
  EXPECT_THAT(reasons(body, "formats: [tflite], types: [int8], symmetric: weights, ops: [{ops: [CONV_2D]}]"),
              ElementsAre("constant: found a zero point other than 0, expected 0"));
  EXPECT_THAT(reasons(body, "formats: [tflite], types: [int8], ops: [{ops: [CONV_2D], limits: {max_kernel: 1}}]"),
              ElementsAre("kernel: found 2, expected at most 1"));
  EXPECT_THAT(
      reasons(body,
              "formats: [tflite], types: [int8], ops: [{ops: [CONV_2D], attributes: [{name: fused_activation_function, is: [NONE]}]}]"),
      ElementsAre("fused_activation_function: found RELU, expected NONE"));
}

TEST(Check, AnEmptyGraphIsNone) {
  const auto checked = check(graph_of("input x: float32[2] output x"), target_of("formats: [onnx], ops: [{ops: [any]}]"));
  EXPECT_THAT(checked.error().message, HasSubstr("found a graph without nodes"));
}

}  // namespace
}  // namespace moru::model::targets
