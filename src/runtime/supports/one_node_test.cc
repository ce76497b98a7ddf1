// SPDX-License-Identifier: Apache-2.0
#include "runtime/supports/one_node.h"

#include <gmock/gmock.h>

#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::runtime {
namespace {

using testing::HasSubstr;
using testing::Not;

model::Graph graph_of(std::string_view text) {
  auto graph = model::parse_text(text).value();
  EXPECT_TRUE(model::infer_shapes(graph).has_value());
  return graph;
}

TEST(OneNode, HasItsConstantsAndTakesTheRestAsInputs) {
  const auto graph = graph_of(R"(graph "g" { opset 13 input x: float32[N, 4]
    init shape = int64[2] {-1, 2}
    a: float32[N, 4] = Relu(x)
    y: float32[?, 2] = Reshape(a, shape) as last
    output y })");
  const auto made = one_node(graph, 1);
  EXPECT_TRUE(model::verify(made).has_value());
  EXPECT_EQ(model::to_text(made), R"(graph "" {
  opset 13
  input x0: float32[N, 4]
  init x1 = int64[2] {-1, 2}
  y0: float32[?, 2] = Reshape(x0, x1)
  output y0
}
)");
}

TEST(OneNode, KeepsPlacesThatAreLeftOutAndValuesThatAreUsedTwice) {
  const auto graph = graph_of(R"(graph "g" { opset 13 input x: float32[4] init high = float32[] {6}
    a: float32[4] = Clip(x, _, high)
    y: float32[4] = Mul(a, a)
    output y })");
  EXPECT_THAT(model::to_text(one_node(graph, 0)), HasSubstr("y0: float32[4] = Clip(x0, _, x1)"));
  EXPECT_THAT(model::to_text(one_node(graph, 1)), HasSubstr("input x0: float32[4]\n  y0: float32[4] = Mul(x0, x0)"));
}

TEST(OneNode, GivesABodyWhatItTakesFromOutside) {
  const auto graph = graph_of(R"(graph "g" { opset 13 input c: bool[] input x: float32[2]
    h: float32[2] = Abs(x)
    z: float32[2] = If(c) {else_branch = graph "else" (h) { opset 13 input h: float32[2] y: float32[2] = Neg(h) output y },
      then_branch = graph "then" (h) { opset 13 input h: float32[2] y: float32[2] = Abs(h) output y }}
    output z })");
  const auto made = one_node(graph, 1);
  EXPECT_TRUE(model::verify(made).has_value());
  EXPECT_EQ(made.inputs.size(), 2U);
}

TEST(OneNode, KindsDifferInTypesAttributesAndParametersButNotInWeights) {
  std::string weights = "{0";
  for (int i = 1; i < 100; ++i) weights += ", " + std::to_string(i);
  const auto graph = graph_of(R"(graph "g" { opset 13 input x: float32[10, 10] input h: float16[10, 10]
    init v = float32[10, 10] )" +
                              weights + R"(} init w = float32[10, 10] {1)" + weights.substr(2) + R"(}
    init rows = int64[2] {5, 20} init columns = int64[2] {20, 5}
    a: float32[10, 10] = MatMul(x, v) as first
    b: float32[10, 10] = MatMul(a, w)
    c: float32[5, 20] = Reshape(b, rows)
    d: float32[20, 5] = Reshape(b, columns)
    e: float16[10, 10] = Relu(h)
    f: float32[10, 10] = Relu(b)
    output c output d output e output f })");
  EXPECT_EQ(kind_of_node(graph, 0), kind_of_node(graph, 1));
  EXPECT_NE(kind_of_node(graph, 2), kind_of_node(graph, 3));
  EXPECT_NE(kind_of_node(graph, 4), kind_of_node(graph, 5));
  EXPECT_THAT(kind_of_node(graph, 0), Not(HasSubstr("first")));
}

}  // namespace
}  // namespace moru::runtime
