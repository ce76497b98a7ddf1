// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/svg.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/inspect/box_text.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string draw(std::string_view text) {
  auto graph = parse_text(text);
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
  EXPECT_TRUE(infer_shapes(*graph).has_value());
  const auto svg = to_svg(*graph);
  EXPECT_TRUE(svg.has_value()) << (svg ? "" : svg.error().message);
  return svg.value_or("");
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Svg, SaysWhatTheGraphHolds) {
  const std::string svg = draw(R"(graph "net" {
  input x: float32[1, 1, 4, 4]
  init w = float32[2, 1, 3, 3] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}
  init low = float32[] {0.25}
  y = Conv(x, w) {kernel_shape = [3, 3], strides = [2, 2], pads = [0, 0, 0, 0]} as conv1
  z = Clip(y, low)
  output z
})");
  EXPECT_THAT(svg, testing::StartsWith("<svg xmlns"));
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
  for (const std::string_view part :
       {">net<", ">Conv<", ">conv1<", ">W: float32[2, 1, 3, 3]<", ">kernel_shape 3x3, strides 2<", ">min: float32 {0.25}<",
        ">float32[1, 2, 1, 1]<", ">input<", ">output<", ">x<", ">z<", "convolution", "activation"}) {
    EXPECT_THAT(svg, HasSubstr(part));
  }
  EXPECT_THAT(svg, Not(HasSubstr("pads")));  // none: what everybody expects
  EXPECT_EQ(count(svg, "<path class=\"l\""), 3U);
}

TEST(Svg, HostileNamesStayText) {
  const std::string svg = draw(
      "graph \"</svg><script>alert(1)</script>\" {\n"
      "  input \"<b>&\\\"'\\x00\\x1B[2J\": float32[1]\n"
      "  y = Relu(\"<b>&\\\"'\\x00\\x1B[2J\") as \"\\xE2\\x80\\xAEtxt\\xFF\"\n  output y\n}");
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(svg, HasSubstr("&lt;b&gt;&amp;&quot;&#39;\xEF\xBF\xBD\xEF\xBF\xBD[2J"));
  EXPECT_THAT(svg, HasSubstr("\xEF\xBF\xBDtxt\xEF\xBF\xBD"));
  EXPECT_EQ(svg.find('\0'), std::string::npos);
  EXPECT_EQ(svg.find('\x1B'), std::string::npos);
}

TEST(Svg, LongNamesAreCutShort) {
  EXPECT_EQ(clean_label("abcdef", 6), "abcdef");
  EXPECT_EQ(clean_label("abcdefg", 6), "abcde\xE2\x80\xA6");
  EXPECT_EQ(clean_label("\xED\x95\x9C\xED\x95\x9C\xED\x95\x9C", 6), "\xED\x95\x9C\xED\x95\x9C\xED\x95\x9C");
  EXPECT_EQ(columns_of(clean_label("\xED\x95\x9C\xED\x95\x9C\xED\x95\x9C", 5)), 5U);
  const std::string svg =
      draw(fmt::format("graph \"g\" {{\n  input x: float32[1]\n  y = Relu(x) as {}\n  output y\n}}", std::string(10'000, 'n')));
  EXPECT_EQ(svg.find(std::string(401, 'n')), std::string::npos);
}

TEST(Svg, KindsAreToldFromTheName) {
  EXPECT_EQ(kind_of("Conv"), BoxKind::kConvolution);
  EXPECT_EQ(kind_of("DEPTHWISE_CONV_2D"), BoxKind::kConvolution);
  EXPECT_EQ(kind_of("QLinearConv"), BoxKind::kConvolution);
  EXPECT_EQ(kind_of("FULLY_CONNECTED"), BoxKind::kMatrix);
  EXPECT_EQ(kind_of("DequantizeLinear"), BoxKind::kQuantisation);
  EXPECT_EQ(kind_of("BatchNormalization"), BoxKind::kNormalisation);
  EXPECT_EQ(kind_of("MAX_POOL_2D"), BoxKind::kPool);
  EXPECT_EQ(kind_of("Add"), BoxKind::kArithmetic);
  EXPECT_EQ(kind_of("Loop"), BoxKind::kControl);
  EXPECT_EQ(kind_of("Unheard"), BoxKind::kOther);
}

TEST(Svg, BodiesStandBesideTheGraph) {
  auto body = parse_text("graph \"body\" {\n  input a: float32[2]\n  b = Relu(a)\n  output b\n}");
  ASSERT_TRUE(body.has_value());
  Graph graph;
  graph.name = "outer";
  graph.inputs = {graph.add_value("c", {DType::kBool, SymbolicShape{}})};
  const auto x = graph.add_value("x", {DType::kFloat32, SymbolicShape{{2, ""}}});
  graph.inputs.push_back(x);
  const auto y = graph.add_value("y", {DType::kFloat32, SymbolicShape{{2, ""}}});
  const auto shared = std::make_shared<const Graph>(std::move(*body));
  graph.nodes().push_back({.name = "choice",
                           .op = "If",
                           .domain = "",
                           .inputs = {graph.inputs[0]},
                           .outputs = {y},
                           .attributes = {{"else_branch", Subgraph{shared, {x}}}, {"then_branch", Subgraph{shared, {x}}}}});
  graph.outputs = {y};
  const auto svg = to_svg(graph);
  ASSERT_TRUE(svg.has_value()) << svg.error().message;
  EXPECT_THAT(*svg, HasSubstr(">then_branch: body 2<"));
  EXPECT_THAT(*svg, HasSubstr("body 2: then_branch of node 0"));
  EXPECT_EQ(count(*svg, ">Relu<"), 2U);
  EXPECT_EQ(count(*svg, "<path class=\"l\""), 3U + 2 * 2U);  // the capture is a line to the node
}

/// Blocks with short cuts, as in a residual network.
std::string residual(int blocks) {
  std::string text = "graph \"g\" {\n  input x0: float32[1, 8]\n";
  for (int i = 0; i < blocks; ++i)
    text += fmt::format("  a{0} = Relu(x{0})\n  b{0} = Sigmoid(a{0})\n  c{0} = Relu(b{0})\n  x{1} = Add(c{0}, x{0})\n", i, i + 1);
  return text + fmt::format("  output x{}\n}}", blocks);
}

TEST(Svg, AThousandNodesAreDrawnAtOnce) {
  const auto graph = parse_text(residual(250));
  ASSERT_TRUE(graph.has_value());
  const auto begin = std::chrono::steady_clock::now();
  const auto svg = to_svg(*graph);
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  ASSERT_TRUE(svg.has_value());
  EXPECT_LT(seconds, 1.0);
  EXPECT_EQ(count(*svg, "<path class=\"l\""), 250U * 5 + 1);
}

TEST(Svg, LongLinesInAHostileGraphDoNotTakeLong) {
  // Each of 1,500 values is used at the end, too: more than a million bends.
  std::string text = "graph \"g\" {\n  input x0: float32[1]\n";
  std::string all = "x0";
  for (int i = 0; i < 1500; ++i) {
    text += fmt::format("  x{1} = Relu(x{0})\n", i, i + 1);
    all += fmt::format(", x{}", i + 1);
  }
  const auto graph = parse_text(text + "  y = Concat(" + all + ") {axis = 0}\n  output y\n}");
  ASSERT_TRUE(graph.has_value());
  const auto begin = std::chrono::steady_clock::now();
  const auto svg = to_svg(*graph);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 5.0);
  ASSERT_TRUE(svg.has_value());
  EXPECT_LT(svg->size(), std::size_t{64} << 20U);
}

TEST(Svg, RefusesWhatNobodyCanLookAt) {
  const auto graph = parse_text(residual(6000));
  ASSERT_TRUE(graph.has_value());
  const auto svg = to_svg(*graph);
  ASSERT_FALSE(svg.has_value());
  EXPECT_EQ(svg.error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace moru::model
