// SPDX-License-Identifier: Apache-2.0
// Ops that move, resample and transform data: what their examples do not show, symbolic shapes, and bad input. Expected values
// were worked out by hand.
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

/// The type of y after inference, or the error.
std::string infer(std::string_view body) {
  auto graph = parse_text("graph \"test\" {\n" + std::string(body) + "\noutput y\n}");
  if (!graph) return graph.error().message;
  if (const Status status = infer_shapes(*graph); !status) return status.error().message;
  const ValueType& type = graph->value(graph->outputs[0]).type;
  return std::string(type.dtype ? to_string(*type.dtype) : "?") + (type.shape ? to_string(*type.shape) : "[*]");
}

struct Case {
  std::string_view body;
  std::string_view expected;
};

TEST(Movement, OfElementsOfAnySize) {
  EXPECT_EQ(run("init x = bool[2, 2] {true, false, true, true}\ny = Transpose(x)"), "bool[2, 2] {true, true, false, true}");
  EXPECT_EQ(run("init x = float16[3] {1, 2, 3}\ninit i = int32[2] {2, -3}\ny = Gather(x, i)"), "float16[2] {3, 1}");
  EXPECT_EQ(run("init x = float64[1, 2] {1, 2}\ninit s = int64[2] {2, 1}\ny = Expand(x, s)"), "float64[2, 2] {1, 2, 1, 2}");
  EXPECT_THAT(run("init x = int4[2, 1] {1, 2}\ny = Transpose(x)"), HasSubstr("found int4, expected a type whose elements are whole bytes"));
}

TEST(Movement, OfNothing) {
  EXPECT_EQ(run("init x = int8[0, 2] {}\ny = Transpose(x)"), "int8[2, 0] {}");
  EXPECT_EQ(run("init x = int8[2, 0] {}\ninit i = int64[1] {1}\ny = Gather(x, i)"), "int8[1, 0] {}");
  EXPECT_EQ(run("init x = int8[0] {}\ninit r = int64[1] {3}\ny = Tile(x, r)"), "int8[0] {}");
  EXPECT_EQ(run("init x = int8[0] {}\ny = Unique(x)"), "int8[0] {}");
  EXPECT_EQ(run("init x = int8[2, 0] {}\ny = NonZero(x)"), "int64[2, 0] {}");
  EXPECT_EQ(run("init x = int8[] {5}\ny = NonZero(x)"), "int64[0, 1] {}");
}

TEST(Pad, RepeatsBordersMirrorsAndWraps) {
  const std::string row = "init x = int8[3] {1, 2, 3}\ninit p = int64[2] {5, 4}\n";
  EXPECT_EQ(run(row + "y = Pad(x, p) {mode = \"edge\"}"), "int8[12] {1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3}");
  EXPECT_EQ(run(row + "y = Pad(x, p) {mode = \"reflect\"}"), "int8[12] {2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3}");
  EXPECT_EQ(run(row + "y = Pad(x, p) {mode = \"wrap\"}"), "int8[12] {2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1}");
  EXPECT_EQ(run("init x = int8[1] {7}\ninit p = int64[2] {1, 1}\ny = Pad(x, p) {mode = \"reflect\"}"), "int8[3] {7, 7, 7}");
  // Cutting comes first: what is mirrored is 2, 3.
  EXPECT_EQ(run("init x = int8[3] {1, 2, 3}\ninit p = int64[2] {-1, 1}\ny = Pad(x, p) {mode = \"reflect\"}"), "int8[3] {2, 3, 2}");
}

TEST(Slice, BeyondTheEndsAndBackwards) {
  const auto sliced = [](std::string_view start, std::string_view end, std::string_view step) {
    return run("init x = int8[4] {1, 2, 3, 4}\ninit s = int64[1] {" + std::string(start) + "}\ninit e = int64[1] {" + std::string(end) +
               "}\ninit a = int64[1] {0}\ninit t = int64[1] {" + std::string(step) + "}\ny = Slice(x, s, e, a, t)");
  };
  EXPECT_EQ(sliced("-9", "9", "1"), "int8[4] {1, 2, 3, 4}");
  EXPECT_EQ(sliced("3", "1", "1"), "int8[0] {}");
  EXPECT_EQ(sliced("9", "0", "-1"), "int8[3] {4, 3, 2}");
  EXPECT_EQ(sliced("-1", "-9", "-3"), "int8[2] {4, 1}");
  EXPECT_EQ(sliced("1", "9223372036854775807", "9223372036854775807"), "int8[1] {2}");
  EXPECT_EQ(sliced("9223372036854775807", "-9223372036854775808", "-9223372036854775808"), "int8[1] {4}");
  EXPECT_THAT(sliced("0", "4", "0"), HasSubstr("(steps): found 0"));
}

TEST(Scatter, JoinsWhatMeetsInOnePlace) {
  const auto joined = [](std::string_view reduction) {
    return run("init x = float32[2] {4, 5}\ninit i = int64[3] {0, 0, -1}\ninit u = float32[3] {2, 6, nan}\n" +
               ("y = ScatterElements(x, i, u) {reduction = \"" + std::string(reduction) + "\"}"));
  };
  EXPECT_EQ(joined("add"), "float32[2] {12, nan}");
  EXPECT_EQ(joined("mul"), "float32[2] {48, nan}");
  EXPECT_EQ(joined("min"), "float32[2] {2, nan}");
  EXPECT_EQ(joined("max"), "float32[2] {6, nan}");
  EXPECT_EQ(joined("none"), "float32[2] {6, nan}");
  EXPECT_THAT(joined("mean"), HasSubstr("'reduction': found 'mean', expected none, add, mul, min or max"));
  EXPECT_EQ(run("init x = uint8[1] {250}\ninit i = int64[1, 1] {0}\ninit u = uint8[1] {10}\ny = ScatterND(x, i, u) {reduction = \"add\"}"),
            "uint8[1] {4}");
}

TEST(Unique, NaNsAreOneValueBehindAllOthers) {
  EXPECT_EQ(run("init x = float32[5] {nan, 2, nan, -inf, 2}\ny = Unique(x)"), "float32[3] {-inf, 2, nan}");
  EXPECT_EQ(run("init x = int8[4] {3, 1, 3, 2}\ny = Unique(x) {sorted = 0}"), "int8[3] {3, 1, 2}");
}

TEST(OneHot, WhatIsOutOfRangeIsOff) {
  EXPECT_EQ(run("init x = float32[4] {-3, 2.9, inf, nan}\ninit d = float32[1] {2}\ninit v = int8[2] {5, 7}\ny = OneHot(x, d, v)"),
            "int8[4, 2] {5, 5, 5, 5, 5, 5, 5, 5}");
}

TEST(Range, StopsBeforeTheLimit) {
  const auto range = [](std::string_view type, std::string_view start, std::string_view limit, std::string_view delta) {
    std::string body;
    for (const auto& [name, value] : {std::pair("a", start), {"b", limit}, {"c", delta}}) {
      body += "init " + std::string(name) + " = " + std::string(type) + "[] {" + std::string(value) + "}\n";
    }
    return run(body + "y = Range(a, b, c)");
  };
  EXPECT_EQ(range("float32", "1", "2", "0.3"), "float32[4] {1, 1.3, 1.6, 1.9000001}");
  EXPECT_EQ(range("int32", "1", "1", "1"), "int32[0] {}");
  EXPECT_EQ(range("int64", "9223372036854775805", "9223372036854775807", "1"), "int64[2] {9223372036854775805, 9223372036854775806}");
  EXPECT_EQ(range("int64", "-9223372036854775808", "9223372036854775807", "9223372036854775807"),
            "int64[3] {-9223372036854775808, -1, 9223372036854775806}");
  EXPECT_THAT(range("int64", "0", "9", "0"), HasSubstr("input 2 (delta): found 0"));
  EXPECT_THAT(range("float32", "0", "inf", "1"), HasSubstr("more than 2^40 numbers"));
  EXPECT_THAT(range("float32", "nan", "1", "1"), HasSubstr("expected finite numbers"));
  EXPECT_THAT(range("int64", "-9223372036854775808", "9223372036854775807", "1"), HasSubstr("more than 2^40 numbers"));
}

TEST(Resize, RoundsIntegersAndSaturates) {
  const std::string row = "init x = uint8[4] {0, 255, 255, 0}\ninit s = float32[1] {2}\n";
  // The cubic kernel overshoots beside a step.
  EXPECT_EQ(run(row + "y = Resize(x, _, s) {mode = \"cubic\"}"), "uint8[8] {0, 58, 197, 255, 255, 197, 58, 0}");
  EXPECT_EQ(run(row + "y = Resize(x, _, s) {mode = \"linear\"}"), "uint8[8] {0, 64, 191, 255, 255, 191, 64, 0}");
}

TEST(Resize, KeepsTheRatioOfTheSides) {
  const std::string image = "init x = float32[2, 4] {1, 2, 3, 4, 5, 6, 7, 8}\ninit s = int64[2] {4, 4}\n";
  EXPECT_THAT(run(image + "y = Resize(x, _, _, s) {keep_aspect_ratio_policy = \"not_larger\"}"), HasSubstr("float32[2, 4]"));
  EXPECT_THAT(run(image + "y = Resize(x, _, _, s) {keep_aspect_ratio_policy = \"not_smaller\"}"), HasSubstr("float32[4, 8]"));
  EXPECT_THAT(run(image + "y = Resize(x, _, _, s)"), HasSubstr("float32[4, 4]"));
}

TEST(Resize, AntialiasingAveragesWhatGoesAway) {
  EXPECT_EQ(run("init x = float32[4] {0, 4, 8, 12}\ninit s = float32[1] {0.5}\ny = Resize(x, _, s) {mode = \"linear\", antialias = 1}"),
            "float32[2] {2.5, 9.5}");
}

TEST(Resize, ExtrapolatesOutsideTheRegion) {
  EXPECT_EQ(run(R"(init x = float32[3] {1, 2, 3}
    init r = float32[2] {0.5, 1.5}
    init s = int64[1] {3}
    y = Resize(x, r, _, s) {mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize", extrapolation_value = -1.0})"),
            "float32[3] {2, 3, -1}");
}

TEST(InferShapes, SymbolsPassThroughMovement) {
  constexpr Case kCases[] = {
      {"input x: int8[N, 4]\ninit s = int64[1] {1}\ninit e = int64[1] {3}\ninit a = int64[1] {1}\ny = Slice(x, s, e, a)", "int8[N, 2]"},
      {"input x: int8[N, 4]\ninit s = int64[1] {0}\ninit e = int64[1] {9223372036854775807}\ny = Slice(x, s, e)", "int8[N, 4]"},
      {"input x: int8[N, 4]\ninit s = int64[1] {1}\ninit e = int64[1] {3}\ny = Slice(x, s, e)", "int8[?, 4]"},
      {"input x: int8[N, 4]\ninput s: int64[1]\ninput e: int64[1]\ninit a = int64[1] {1}\ny = Slice(x, s, e, a)", "int8[N, ?]"},
      {"input x: int8[N, 4]\ny, z = Split(x) {axis = 1, num_outputs = 2}", "int8[N, 2]"},
      {"input x: int8[N, 4]\ny, z = Split(x) {num_outputs = 2}", "int8[?, 4]"},
      {"input x: int8[N, 1]\ninit a = int64[1] {1}\ny = Squeeze(x, a)", "int8[N]"},
      {"input x: int8[N, 1]\ny = Squeeze(x)", "int8[*]"},
      {"input x: int8[N]\ninit a = int64[1] {-1}\ny = Unsqueeze(x, a)", "int8[N, 1]"},
      {"input x: int8[N]\ninput a: int64[2]\ny = Unsqueeze(x, a)", "int8[?, ?, ?]"},
      {"input x: int8[V, 8]\ninput i: int64[N, T]\ny = Gather(x, i)", "int8[N, T, 8]"},
      {"input x: int8[N, 4, 5]\ninput i: int64[N, 2, 1]\ny = GatherND(x, i) {batch_dims = 1}", "int8[N, 2, 5]"},
      {"input x: int8[N, 1]\ninit s = int64[2] {1, 3}\ny = Expand(x, s)", "int8[N, 3]"},
      {"input x: int8[N, 2]\ninit r = int64[2] {1, 3}\ny = Tile(x, r)", "int8[N, 6]"},
      {"input x: int64[N]\ninit d = int64[] {3}\ninit v = int8[2] {0, 1}\ny = OneHot(x, d, v)", "int8[N, 3]"},
      {"input x: int8[N, 8, 2, W]\ny = DepthToSpace(x) {blocksize = 2}", "int8[N, 2, 4, ?]"},
      {"input x: int8[N, H, 2, 4]\ny = SpaceToDepth(x) {blocksize = 2}", "int8[N, ?, 1, 2]"},
      {"input x: float32[N, C, 2, 3]\ninit s = float32[4] {1, 1, 2, 2}\ny = Resize(x, _, s)", "float32[N, C, 4, 6]"},
      {"input x: float32[N, C, H, 3]\ninit s = int64[2] {5, 6}\ny = Resize(x, _, _, s) {axes = [2, 3]}", "float32[N, C, 5, 6]"},
      {"input x: float32[N, C, 8, 8]\ninput g: float32[N, 3, W, 2]\ny = GridSample(x, g)", "float32[N, C, 3, W]"},
      {"input x: float32[N, C, 8, 8]\ninput r: float32[R, 4]\ninput b: int64[R]\ny = RoiAlign(x, r, b) {output_width = 3}",
       "float32[R, C, 1, 3]"},
      {"input x: float32[N, 16, 1]\ny = DFT(x) {onesided = 1}", "float32[N, 9, 2]"},
      {"input x: float32[N, 9, 2]\ny = DFT(x) {inverse = 1, onesided = 1}", "float32[N, 16, 1]"},
      {"input x: float32[N, 16]\ninit s = int64[] {4}\ninput w: float32[8]\ny = STFT(x, s, w)", "float32[N, 3, 5, 2]"},
      {"input x: float32[N, 3]\ny = NonZero(x)", "int64[2, ?]"},
      {"input x: float32[N, 3]\nv, i, y = Unique(x) {axis = 0}", "int64[N]"},
  };
  for (const Case& one : kCases) EXPECT_EQ(infer(one.body), one.expected) << one.body;
}

TEST(InferShapes, AShapeThatIsKnownIsAConstant) {
  EXPECT_EQ(infer(R"(input x: float32[2, 3, 4]
    s = Shape(x) {end = 1}
    init rest = int64[1] {-1}
    shape = Concat(s, rest) {axis = 0}
    y = Reshape(x, shape))"),
            "float32[2, 12]");
  EXPECT_EQ(infer("input x: float32[2, 3]\nn = Size(x)\ninit z = int64[] {0}\ninit d = int64[] {2}\ny = Range(z, n, d)"), "int64[3]");
  EXPECT_EQ(infer("input x: float32[N, 3]\ns = Shape(x)\ny = ConstantOfShape(s)"), "float32[?, ?]");
}

TEST(Movement, RefusesWithAMessageThatSaysWhy) {
  constexpr Case kCases[] = {
      {"init x = int8[5] {1, 2, 3, 4, 5}\ninit i = int64[2] {0, 5}\ny = Gather(x, i)",
       "input 1 (indices): found 5 at element 1, expected -5 to 4 for an extent of 5"},
      {"init x = int8[0, 2] {}\ninit i = int64[1] {0}\ny = Gather(x, i)", "expected 0 to -1 for an extent of 0"},
      {"init x = int8[2, 2] {1, 2, 3, 4}\ninit i = int64[1, 2] {0, -3}\ny = GatherElements(x, i)",
       "found -3 at element 1, expected -2 to 1"},
      {"init x = int8[1, 2] {1, 2}\ninit i = int64[2, 1] {0, 0}\ny = GatherElements(x, i) {axis = 1}",
       "found 2 in axis 0, expected at most 1"},
      {"init x = int8[2, 2] {1, 2, 3, 4}\ninit i = int64[1, 2] {0, 2}\ny = GatherND(x, i)", "found 2 at element 1, expected -2 to 1"},
      {"init x = int8[2, 2] {1, 2, 3, 4}\ninit i = int64[1, 3] {0, 0, 0}\ny = GatherND(x, i)", "found tuples of 3, expected 1 to 2"},
      {"init x = int8[2] {1, 2}\ninit i = int64[1, 1] {0}\ny = GatherND(x, i) {batch_dims = 1}", "'batch_dims': found 1"},
      {"init x = int8[2] {1, 2}\ninit i = int64[1] {2}\ninit u = int8[1] {0}\ny = ScatterElements(x, i, u)", "found 2 at element 0"},
      {"init x = int8[2] {1, 2}\ninit i = int64[1] {1}\ninit u = int8[2] {0, 0}\ny = ScatterElements(x, i, u)",
       "input 2 (updates): found 2"},
      {"init x = int8[2] {1, 2}\ninit i = int64[1] {1}\ninit u = int16[1] {0}\ny = ScatterElements(x, i, u)", "found int16, expected int8"},
      {"init x = int8[2] {1, 2}\ninit i = int64[1, 1] {-3}\ninit u = int8[1] {0}\ny = ScatterND(x, i, u)", "found -3 at element 0"},
      {"init x = bool[1] {true}\ninit i = int64[1] {0}\ninit u = bool[1] {true}\ny = ScatterElements(x, i, u) {reduction = \"add\"}",
       "input 0 (data): found bool"},
      {"init x = int8[2] {1, 2}\ninit s = int64[1] {-1}\ny = Expand(x, s)", "found -1, expected 0 or more"},
      {"init x = int8[2] {1, 2}\ninit s = int64[1] {3}\ny = Expand(x, s)", "found 2 beside 3"},
      {"init x = int8[2] {1, 2}\ninit r = int64[1] {1099511627776}\ny = Tile(x, r)", "more than 2^40"},
      {"init x = int8[2] {1, 2}\ninit r = int64[2] {1, 1}\ny = Tile(x, r)", "found 2 numbers, expected 1"},
      {"init s = int64[3] {1000000, 1000000, 1000000}\ny = ConstantOfShape(s)", "more than 2^40"},
      {"init s = int64[1] {-1}\ny = ConstantOfShape(s)", "found -1, expected 0 or more"},
      {"init s = int64[1] {1}\ny = ConstantOfShape(s) {value = int8[2] {1, 2}}", "expected a tensor of one element"},
      {"init x = int8[4] {1, 2, 3, 4}\ninit s = int64[2] {1, 2}\ny, z = Split(x, s)", "found sizes of 3 together, expected 4"},
      {"init x = int8[4] {1, 2, 3, 4}\ny, z = Split(x)", "found neither of input 1 (split) and attribute 'num_outputs'"},
      {"init x = int8[2] {1, 2}\ny, z, a, b, c = Split(x) {num_outputs = 5}", "found 5 parts of an extent of 2"},
      {"init x = int8[2] {1, 2}\ninit a = int64[1] {0}\ny = Squeeze(x, a)", "found 2 in axis 0"},
      {"init x = int8[2] {1, 2}\ninit a = int64[2] {0, -3}\ny = Unsqueeze(x, a)", "found axis 0 twice"},
      {"init x = int8[2] {1, 2}\ninit s = int64[1] {0}\ninit e = int64[2] {0, 1}\ny = Slice(x, s, e)", "found 1 starts, 2 ends"},
      {"init x = int8[2] {1, 2}\ninit p = int64[2] {-2, 1}\ny = Pad(x, p) {mode = \"edge\"}", "expected an element to repeat"},
      {"init x = int8[1, 2] {1, 2}\ninit p = int64[4] {0, 1, 0, 1}\ninit a = int64[2] {0, 0}\ny = Pad(x, p, _, a)", "found axis 0 twice"},
      {"init x = int64[1] {1}\ninit d = int64[] {0}\ninit v = int8[2] {0, 1}\ny = OneHot(x, d, v)", "input 1 (depth): found 0"},
      {"init x = int8[1, 3, 1, 1] {1, 2, 3}\ny = DepthToSpace(x) {blocksize = 2}", "found 3 channels, expected a multiple of 4"},
      {"init x = int8[1, 1, 1, 1] {1}\ny = DepthToSpace(x) {blocksize = 4294967296}", "'blocksize': found 4294967296"},
      {"init x = int8[2, 2] {1, 2, 3, 4}\ninit l = int64[2] {1, 3}\ny = ReverseSequence(x, l)", "found 3 at element 1, expected 0 to 2"},
      {"init x = int8[5, 0] {}\ny = Unique(x) {axis = 0}", "found 5 slices without elements"},
      {"init x = int8[1] {1}\ninit c = bool[2] {true, true}\ny = Compress(x, c)", "found 2 entries, expected at most 1"},
  };
  for (const Case& one : kCases) EXPECT_THAT(run(one.body), HasSubstr(one.expected)) << one.body;
}

TEST(Resampling, RefusesWithAMessageThatSaysWhy) {
  constexpr Case kCases[] = {
      {"init x = float32[2] {1, 2}\ninit s = float32[1] {-1}\ny = Resize(x, _, s)", "scales: found -1, expected a finite number above 0"},
      {"init x = float32[2] {1, 2}\ninit s = float32[1] {1e30}\ny = Resize(x, _, s)", "expected at most 2^40"},
      {"init x = float32[2] {1, 2}\ninit s = float32[2] {1, 1}\ny = Resize(x, _, s)", "input 2 (scales): found shape [2], expected [1]"},
      {"init x = float32[2] {1, 2}\ny = Resize(x)", "found neither of inputs 2 (scales) and 3 (sizes)"},
      {"init x = float32[0] {}\ninit s = int64[1] {2}\ny = Resize(x, _, _, s)", "found an extent of 0 on axis 0"},
      {"init x = float32[2] {1, 2}\ninit s = int64[1] {1}\ny = Resize(x, _, _, s) {mode = \"area\"}", "'mode': found 'area'"},
      {"init x = float32[1, 1, 1, 1] {1}\ninit r = float32[1, 4] {0, 0, 1, 1}\ninit b = int64[1] {1}\ny = RoiAlign(x, r, b)",
       "input 2 (batch_indices): found 1 at element 0"},
      {"init x = float32[1, 1, 1, 1] {1}\ninit r = float32[1, 4] {0, 0, 1e30, 1}\ninit b = int64[1] {0}\ny = RoiAlign(x, r, b)",
       "expected a smaller one"},
      {"init x = float32[1, 1, 0, 1] {}\ninit g = float32[1, 1, 1, 2] {0, 0}\ny = GridSample(x, g)", "found no pixels"},
      {"init b = float32[1, 1, 4] {0, 0, 1, 1}\ninit s = float32[1, 1, 1] {1}\ninit m = int64[] {1}\ninit i = float32[] {2}\n"
       "y = NonMaxSuppression(b, s, m, i)",
       "(iou_threshold): found 2, expected 0 to 1"},
      {"init x = float32[1, 2, 3] {1, 2, 3, 4, 5, 6}\ninit i = int64[1] {3}\ninit b = int64[1] {2}\ny = Col2Im(x, i, b)",
       "input 0 (input): found 3 in axis 2"},
      {"init x = float32[1, 4, 1] {1, 2, 3, 4}\ninit n = int64[] {1099511627776}\ny = DFT(x, n)", "found a length of 1099511627776"},
      {"init x = float32[1, 4, 2] {1, 2, 3, 4, 5, 6, 7, 8}\ny = DFT(x) {onesided = 1}", "found 2 in the last axis, expected 1"},
      {"init x = float32[1, 4, 1] {1, 2, 3, 4}\ny = DFT(x) {inverse = 1, onesided = 1}", "found 1 in the last axis, expected 2"},
      {"init x = float32[1, 1, 2] {1, 2}\ny = DFT(x) {inverse = 1, onesided = 1}", "found a length of 0, expected 1"},
      {"init x = float32[1, 4, 1] {1, 2, 3, 4}\ninit a = int64[] {2}\ny = DFT(x, _, a)", "(axis): found 2"},
      {"init x = float32[1, 4] {1, 2, 3, 4}\ninit s = int64[] {0}\ny = STFT(x, s)", "(frame_step): found 0"},
      {"init x = float32[1, 4] {1, 2, 3, 4}\ninit s = int64[] {1}\ninit n = int64[] {5}\ny = STFT(x, s, _, n)",
       "found a frame of 5, expected 1 to 4"},
      {"init s = int64[] {-1}\ny = HannWindow(s)", "found -1, expected 0 or more"},
      {"init s = int64[] {1}\ny = HannWindow(s) {output_datatype = 8}", "found string"},
      {"init s = int64[] {1}\ny = HannWindow(s) {output_datatype = 99}", "'output_datatype': found 99"},
      {"init b = int64[] {2}\ninit n = int64[] {8}\ninit r = int64[] {8000}\ninit l = float32[] {0}\ninit h = float32[] {90000}\n"
       "y = MelWeightMatrix(b, n, r, l, h)",
       "of the transform, expected 0 to 4"},
  };
  for (const Case& one : kCases) EXPECT_THAT(run(one.body), HasSubstr(one.expected)) << one.body;
}

}  // namespace
}  // namespace moru::model
