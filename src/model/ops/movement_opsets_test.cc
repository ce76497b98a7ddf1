// SPDX-License-Identifier: Apache-2.0
// What ops that move, resample and transform data were in older opsets, and how they get there and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "model/graph/text.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

using testing::HasSubstr;
using testing::Not;

enum class Way : std::uint8_t { kUp, kDown };

/// The graph of one node after that node's upgrade() or downgrade().
Result<Graph> rewritten(std::string_view body, std::int64_t opset, Way way) {
  MORU_ASSIGN_OR_RETURN(Graph graph, parse_text("graph \"test\" {\n" + std::string(body) + "\noutput y\n}"));
  const OpSpec* spec = find_op(graph.nodes()[0].op);
  NodeRewrite change{graph, opset, graph.nodes()[0], {}, {}};
  MORU_RETURN_IF_ERROR(way == Way::kUp ? spec->upgrade(change) : spec->downgrade(change));
  std::vector<Node> nodes = std::move(change.before);
  nodes.push_back(std::move(change.node));
  std::ranges::move(change.after, std::back_inserter(nodes));
  graph.nodes() = std::move(nodes);
  graph.remove_unused();
  return graph;
}

/// The output of a node of an older opset, by what it means here.
std::string run_old(std::string_view body, std::int64_t opset) {
  const auto graph = rewritten(body, opset, Way::kUp);
  if (!graph) return graph.error().message;
  const auto outputs = evaluate(*graph, {});
  return outputs ? to_text(outputs->front()) : outputs.error().message;
}

/// The node as an older opset has it.
std::string written(std::string_view body, std::int64_t opset) {
  const auto graph = rewritten(body, opset, Way::kDown);
  return graph ? to_text(*graph) : graph.error().message;
}

constexpr std::string_view kData = "init x = int32[2, 3] {1, 2, 3, 4, 5, 6}\n";
std::string with_data(std::string_view node) { return std::string(kData) + std::string(node); }

TEST(MovementOpsets, AttributesBecomeInputs) {
  EXPECT_EQ(run_old(with_data("y = Reshape(x) {shape = [3, -1]}"), 4), "int32[3, 2] {1, 2, 3, 4, 5, 6}");
  EXPECT_EQ(run_old(with_data("y = Slice(x) {starts = [1], ends = [9], axes = [1]}"), 9), "int32[2, 2] {2, 3, 5, 6}");
  EXPECT_EQ(run_old(with_data("y = Slice(x) {starts = [1], ends = [2]}"), 1), "int32[1, 3] {4, 5, 6}");
  EXPECT_EQ(run_old(with_data("y, z = Split(x) {axis = 1, split = [2, 1]}"), 11), "int32[2, 2] {1, 2, 4, 5}");
  EXPECT_EQ(run_old(with_data("y = Unsqueeze(x) {axes = [0]}"), 11), "int32[1, 2, 3] {1, 2, 3, 4, 5, 6}");
  EXPECT_EQ(run_old("init x = int32[1, 2, 1] {1, 2}\ny = Squeeze(x) {axes = [0]}", 11), "int32[2, 1] {1, 2}");
  EXPECT_EQ(run_old("init x = float32[2] {1, 2}\ny = Pad(x) {pads = [1, 0], value = 0.5}", 2), "float32[3] {0.5, 1, 2}");
  EXPECT_EQ(run_old("init x = float64[2] {1, 2}\ny = Pad(x) {paddings = [0, 1], value = 0.5}", 1), "float64[3] {1, 2, 0.5}");
  EXPECT_EQ(run_old("init x = float16[1] {1}\ny = Pad(x) {pads = [0, 1], value = 0.5}", 2), "float16[2] {1, 0.5}");
  EXPECT_THAT(run_old(with_data("init s = int64[1] {6}\ny = Reshape(x, s) {shape = [6]}"), 1),
              HasSubstr("'shape': found it beside input 1"));
}

TEST(MovementOpsets, DefaultsOfTheirTime) {
  EXPECT_EQ(run_old("init a = int32[1, 1] {1}\ninit b = int32[1, 1] {2}\ny = Concat(a, b)", 1), "int32[1, 2] {1, 2}");
  EXPECT_EQ(run_old(with_data("y, z, a = Split(x) {axis = 1}"), 13), "int32[2, 1] {1, 4}");
  EXPECT_EQ(run_old(with_data("init n = int64[] {2}\ninit a = int64[] {0}\ny = Tile(x, n, a)"), 1),
            "int32[4, 3] {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}");
  EXPECT_THAT(run_old(with_data("init n = float32[] {1.5}\ninit a = int64[] {0}\ny = Tile(x, n, a)"), 1), HasSubstr("(tiles): found 1.5"));
  EXPECT_THAT(run_old(with_data("init n = int64[] {2}\ny = Tile(x, n)"), 1), HasSubstr("input 2 (axis)"));
  EXPECT_EQ(run_old("init x = float32[1, 2, 1] {1, 1}\ny = DFT(x)", 17), "float32[1, 2, 2] {2, 0, 0, 0}");
}

TEST(MovementOpsets, OpsThatAreGoneBecomeOthers) {
  const std::string inputs = "init x = float32[2] {1, 2}\ninit i = int64[1] {1}\ninit u = float32[1] {9}\n";
  EXPECT_EQ(run_old(inputs + "y = Scatter(x, i, u)", 9), "float32[2] {1, 9}");
  EXPECT_THAT(written(inputs + "y = Scatter(x, i, u)", 13), HasSubstr("ScatterElements(x, i, u)"));
  constexpr std::string_view kImage = "init x = float32[1, 1, 1, 2] {1, 2}\n";
  constexpr std::string_view kTwice = "float32[1, 1, 1, 4] {1, 1, 2, 2}";
  EXPECT_EQ(run_old(std::string(kImage) + "y = Upsample(x) {width_scale = 2.0, height_scale = 1.0}", 1), kTwice);
  EXPECT_EQ(run_old(std::string(kImage) + "y = Upsample(x) {scales = [1.0, 1.0, 1.0, 2.0]}", 7), kTwice);
  EXPECT_EQ(run_old(std::string(kImage) + "init s = float32[4] {1, 1, 1, 2}\ny = Upsample(x, s)", 9), kTwice);
  EXPECT_EQ(run_old(std::string(kImage) + "init s = float32[4] {1, 1, 1, 2}\ny = Resize(x, s) {mode = \"linear\"}", 10),
            "float32[1, 1, 1, 4] {1, 1.5, 2, 2}");
  EXPECT_EQ(run_old(std::string(kImage) + "y = Upsample(x)", 7), "attribute 'scales': found none, expected floats");
}

TEST(MovementOpsets, TfHalfPixelIsHalfPixelRoundedOtherwise) {
  const std::string inputs = "init x = int32[4] {1, 2, 3, 4}\ninit s = int64[1] {2}\n";
  const std::string node = "y = Resize(x, _, _, s) {coordinate_transformation_mode = \"tf_half_pixel_for_nn\"";
  // (i + 0.5) * 2 is 1 and 3.
  EXPECT_EQ(run_old(inputs + node + "}", 11), "int32[2] {2, 4}");
  EXPECT_EQ(run_old(inputs + node + ", nearest_mode = \"floor\"}", 11), "int32[2] {2, 4}");
  EXPECT_THAT(run_old(inputs + node + ", mode = \"linear\"}", 11), HasSubstr("found tf_half_pixel_for_nn with linear"));
}

TEST(MovementOpsets, PadsOfSomeAxesAreWrittenForAll) {
  const std::string some = with_data("init p = int64[2] {1, 2}\ninit a = int64[1] {-1}\ny = Pad(x, p, _, a)");
  EXPECT_THAT(written(some, 13), HasSubstr("int64[4] {0, 1, 0, 2}"));
  EXPECT_THAT(written(some, 18), HasSubstr("Pad(x, p, _, a)"));
  EXPECT_THAT(written("input x: int32[2]\ninput p: int64[2]\ninit a = int64[1] {0}\ny = Pad(x, p, _, a)", 13),
              HasSubstr("found Pad with axes that are computed, which opset 13 cannot say"));
  EXPECT_THAT(written(with_data("init p = int64[4] {1, 0, 0, 0}\ny = Pad(x, p) {mode = \"wrap\"}"), 18), HasSubstr("mode 'wrap'"));
}

TEST(MovementOpsets, WhatOlderOnesCannotSayIsRefusedAndWhatTheyMeanAnywayGoes) {
  EXPECT_THAT(written(with_data("init s = int64[1] {6}\ny = Reshape(x, s) {allowzero = 1}"), 13), HasSubstr("Reshape(x, s)\n"));
  EXPECT_THAT(written("input x: int32[0, 3]\ninit s = int64[2] {3, 0}\ny = Reshape(x, s) {allowzero = 1}", 13), HasSubstr("cannot say"));
  const std::string inputs = "init x = float32[2] {1, 2}\ninit i = int64[1] {1}\ninit u = float32[1] {9}\n";
  EXPECT_THAT(written(inputs + "y = ScatterElements(x, i, u) {reduction = \"none\"}", 15), HasSubstr("(x, i, u)\n"));
  EXPECT_THAT(written(inputs + "y = ScatterElements(x, i, u) {reduction = \"add\"}", 15), HasSubstr("which opset 15 cannot say"));
  EXPECT_THAT(written(inputs + "y = ScatterElements(x, i, u) {reduction = \"add\"}", 16), HasSubstr("reduction = \"add\""));
  EXPECT_THAT(written(inputs + "y = ScatterElements(x, i, u) {reduction = \"max\"}", 17), HasSubstr("reduction 'max'"));
}

TEST(MovementOpsets, EqualPartsAreWrittenOutWhereTheyAreNotEqual) {
  EXPECT_THAT(written(with_data("y, z = Split(x) {axis = 0, num_outputs = 2}"), 13), HasSubstr("Split(x) {axis = 0}"));
  EXPECT_THAT(written(with_data("y, z = Split(x) {axis = 1, num_outputs = 2}"), 13), HasSubstr("int64[2] {2, 1}"));
  EXPECT_THAT(written(with_data("y, z = Split(x) {axis = 1, num_outputs = 2}"), 18), HasSubstr("num_outputs = 2"));
}

TEST(MovementOpsets, PartOfAShapeIsASliceOfIt) {
  const auto graph = rewritten(with_data("y = Shape(x) {start = -1}"), 14, Way::kDown);
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_THAT(to_text(*graph), HasSubstr("Shape(x)\n"));
  const auto outputs = evaluate(*graph, {});
  ASSERT_TRUE(outputs.has_value()) << outputs.error().message;
  EXPECT_EQ(to_text(outputs->front()), "int64[1] {3}");
  EXPECT_THAT(written(with_data("y = Shape(x) {start = 0}"), 14), Not(HasSubstr("Slice")));
}

TEST(MovementOpsets, ResizeOfSomeAxesIsWrittenForAll) {
  const std::string image = "input x: float32[1, 1, 2, 3]\n";
  EXPECT_THAT(written(image + "init s = float32[1] {2}\ny = Resize(x, _, s) {axes = [3]}", 13), HasSubstr("float32[4] {1, 1, 1, 2}"));
  EXPECT_THAT(written(image + "init s = int64[2] {4, 6}\ny = Resize(x, _, _, s) {axes = [3, 2]}", 13), HasSubstr("int64[4] {1, 1, 6, 4}"));
  EXPECT_THAT(written("input x: float32[N, 3]\ninit s = int64[1] {4}\ny = Resize(x, _, _, s) {axes = [1]}", 13),
              HasSubstr("beside unknown"));
  EXPECT_THAT(written(image + "input s: float32[1]\ny = Resize(x, _, s) {axes = [3]}", 13), HasSubstr("that are computed"));
  const std::string all = image + "init s = float32[4] {1, 1, 1, 2}\n";
  EXPECT_THAT(written(all + "y = Resize(x, _, s) {antialias = 1}", 17), HasSubstr("Resize with 'antialias'"));
  EXPECT_THAT(written(all + "y = Resize(x, _, s) {antialias = 0}", 17), HasSubstr("Resize(x, _, s)\n"));
  EXPECT_THAT(written(all + "y = Resize(x, _, s) {coordinate_transformation_mode = \"half_pixel_symmetric\"}", 18),
              HasSubstr("cannot say"));
}

TEST(MovementOpsets, SamplingAndTransforms) {
  const std::string grid = "input x: float32[1, 1, 2, 2]\ninput g: float32[1, 2, 2, 2]\n";
  EXPECT_THAT(written(grid + "y = GridSample(x, g) {mode = \"cubic\"}", 16), HasSubstr("mode = \"bicubic\""));
  const auto up = rewritten(grid + "y = GridSample(x, g) {mode = \"bilinear\"}", 16, Way::kUp);
  ASSERT_TRUE(up.has_value());
  EXPECT_THAT(to_text(*up), HasSubstr("mode = \"linear\""));
  EXPECT_THAT(written("input x: float32[1, 1, 2, 2, 2]\ninput g: float32[1, 2, 2, 2, 3]\ny = GridSample(x, g)", 16),
              HasSubstr("cannot say"));
  const std::string rois = "input x: float32[1, 1, 2, 2]\ninput r: float32[1, 4]\ninput b: int64[1]\n";
  EXPECT_THAT(written(rois + "y = RoiAlign(x, r, b)", 15), HasSubstr("RoiAlign with half_pixel, which opset 15 cannot say"));
  EXPECT_THAT(written(rois + "y = RoiAlign(x, r, b) {coordinate_transformation_mode = \"output_half_pixel\"}", 15),
              HasSubstr("(x, r, b)\n"));
  EXPECT_THAT(written("input x: float32[1, 2, 1]\ninit a = int64[] {1}\ny = DFT(x, _, a)", 17), HasSubstr("DFT(x) {axis = 1}"));
  EXPECT_THAT(written("input x: float32[1, 2, 1]\ny = DFT(x)", 17), HasSubstr("DFT(x) {axis = -2}"));
  EXPECT_THAT(written("input x: float32[1, 2, 1]\ninput a: int64[]\ny = DFT(x, _, a)", 17), HasSubstr("cannot say"));
}

TEST(QLinearMatMulOpsets, ScalesHave16BitsSince21) {
  const std::string body = "input a: int8[2, 2]\ninit s = float16[] {0.5}\ninit z = int8[] {0}\ny = QLinearMatMul(a, s, z, a, s, z, s, z)";
  EXPECT_THAT(written(body, 21), HasSubstr("QLinearMatMul"));
  EXPECT_THAT(written(body, 20), HasSubstr("found scales of 16 bits, which opset 20 cannot say"));
}

}  // namespace
}  // namespace moru::model
