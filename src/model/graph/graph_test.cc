// SPDX-License-Identifier: Apache-2.0
#include "model/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moru::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Node node(std::string op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  Node result;
  result.op = std::move(op);
  result.inputs = std::move(inputs);
  result.outputs = std::move(outputs);
  return result;
}

TEST(SymbolicShape, PrintsNumbersSymbolsAndUnknown) {
  EXPECT_EQ(to_string(SymbolicShape{{-1, "N"}, {3, {}}, {-1, {}}}), "[N, 3, ?]");
  EXPECT_EQ(to_string(SymbolicShape{}), "[]");
}

TEST(Graph, FindsValuesByName) {
  Graph graph;
  const ValueId x = graph.add_value("x");
  EXPECT_EQ(graph.find_value("x"), x);
  EXPECT_EQ(graph.find_value("y"), std::nullopt);
  graph.rename(x, "y");
  EXPECT_EQ(graph.find_value("x"), std::nullopt);
  EXPECT_EQ(graph.find_value("y"), x);
}

TEST(Graph, UnusedNameIsNew) {
  Graph graph;
  EXPECT_EQ(graph.unused_name("x"), "x");
  graph.add_value("x");
  EXPECT_EQ(graph.unused_name("x"), "x_1");
  graph.add_value("x_1");
  EXPECT_EQ(graph.unused_name("x"), "x_2");
}

TEST(GraphDeathTest, ATakenNameEndsTheProcess) {
  Graph graph;
  graph.add_value("x");
  EXPECT_DEATH(graph.add_value("x"), "is_new");
}

TEST(Graph, InitializerSetsTheType) {
  Graph graph;
  const ValueId w = graph.add_initializer("w", Tensor::of<std::int8_t>({2, 1}, {1, 2}));
  EXPECT_EQ(graph.value(w).type.dtype, DType::kInt8);
  EXPECT_EQ(to_string(*graph.value(w).type.shape), "[2, 1]");
  ASSERT_NE(graph.initializer(w), nullptr);
  EXPECT_EQ(graph.initializer(graph.add_value("x")), nullptr);
}

TEST(Graph, ProducersAndConsumers) {
  Graph graph;
  const ValueId x = graph.add_value("x");
  const ValueId y = graph.add_value("y");
  const ValueId z = graph.add_value("z");
  graph.inputs = {x};
  graph.outputs = {z};
  graph.nodes() = {node("Relu", {x}, {y}), node("Add", {y, y}, {z})};
  EXPECT_THAT(graph.producers(), ElementsAre(-1, 0, 1));
  EXPECT_THAT(graph.consumers(), ElementsAre(ElementsAre(0), ElementsAre(1, 1), IsEmpty()));
}

TEST(Graph, ReplaceUsesAlsoOfOutputs) {
  Graph graph;
  const ValueId x = graph.add_value("x");
  const ValueId y = graph.add_value("y");
  graph.inputs = {x};
  graph.outputs = {y};
  graph.nodes() = {node("Identity", {x}, {y})};
  graph.replace_uses(y, x);
  EXPECT_THAT(graph.outputs, ElementsAre(x));
}

TEST(Graph, RemoveUnusedKeepsInputsAndWhatOutputsNeed) {
  Graph graph;
  const ValueId dead_constant = graph.add_initializer("dead", Tensor::scalar<float>(1));
  const ValueId x = graph.add_value("x");
  const ValueId spare = graph.add_value("spare_input");
  const ValueId w = graph.add_initializer("w", Tensor::scalar<float>(2));
  const ValueId y = graph.add_value("y");
  const ValueId z = graph.add_value("z");
  graph.inputs = {x, spare};
  graph.outputs = {z};
  graph.nodes() = {node("Add", {x, dead_constant}, {y}), node("Mul", {x, w}, {z})};
  graph.remove_unused();
  ASSERT_EQ(graph.nodes().size(), 1U);
  EXPECT_EQ(graph.nodes()[0].op, "Mul");
  EXPECT_EQ(graph.value_count(), 4U);
  EXPECT_EQ(graph.find_value("dead"), std::nullopt);
  EXPECT_EQ(graph.find_value("y"), std::nullopt);
  EXPECT_THAT(graph.inputs, ElementsAre(*graph.find_value("x"), *graph.find_value("spare_input")));
  EXPECT_THAT(graph.outputs, ElementsAre(*graph.find_value("z")));
  const Tensor* kept = graph.initializer(*graph.find_value("w"));
  ASSERT_NE(kept, nullptr);
  EXPECT_THAT(kept->data<float>(), ElementsAre(2.0F));
}

Graph body_of_one_input() {
  Graph body;
  body.inputs = {body.add_value("a")};
  body.outputs = body.inputs;
  return body;
}

TEST(Graph, CapturesAreUses) {
  Graph graph;
  graph.add_initializer("dead", Tensor::scalar<float>(1));
  const ValueId x = graph.add_value("x");
  const ValueId c = graph.add_value("c");
  const ValueId w = graph.add_initializer("w", Tensor::scalar<float>(2));
  const ValueId y = graph.add_value("y");
  graph.inputs = {x, c};
  graph.outputs = {y};
  Node branch = node("If", {c}, {y});
  branch.attributes["then_branch"] = Subgraph{std::make_shared<const Graph>(body_of_one_input()), {w}};
  graph.nodes() = {branch};
  EXPECT_THAT(graph.consumers()[static_cast<std::size_t>(w)], ElementsAre(0));
  graph.remove_unused();
  const auto captures = [&] { return std::get<Subgraph>(graph.nodes()[0].attributes.at("then_branch")).captures; };
  ASSERT_TRUE(graph.find_value("w").has_value());
  EXPECT_THAT(captures(), ElementsAre(*graph.find_value("w")));
  EXPECT_NE(*graph.find_value("w"), w);
  graph.replace_uses(*graph.find_value("w"), *graph.find_value("x"));
  EXPECT_THAT(captures(), ElementsAre(*graph.find_value("x")));
  graph.remove_unused();
  EXPECT_FALSE(graph.find_value("w").has_value());
  graph.rename(*graph.find_value("x"), "x2");
  EXPECT_EQ(graph.value(captures()[0]).name, "x2");
}

TEST(Graph, AnInitializerKeepsHowItIsQuantised) {
  Graph graph;
  const ValueId w = graph.add_value("w", {.dtype = DType::kInt8, .shape = {}, .quantization = Quantization{{0.5F}, {0}, 0}});
  graph.set_initializer(w, Tensor::of<std::int8_t>({1}, {3}));
  ASSERT_TRUE(graph.value(w).type.quantization.has_value());
  EXPECT_THAT(graph.value(w).type.quantization->scales, ElementsAre(0.5F));
}

TEST(Attributes, FallBackWhenLeftOut) {
  const Node empty;
  EXPECT_EQ(int_attribute(empty, "group", 1).value(), 1);
  EXPECT_EQ(float_attribute(empty, "alpha", 0.5F).value(), 0.5F);
  EXPECT_EQ(string_attribute(empty, "auto_pad", "NOTSET").value(), "NOTSET");
  EXPECT_THAT(ints_attribute(empty, "pads", {0, 0}).value(), ElementsAre(0, 0));
}

TEST(Attributes, WrongTypeIsAnError) {
  Node conv;
  conv.attributes["group"] = 2.0F;
  const auto group = int_attribute(conv, "group", 1);
  ASSERT_FALSE(group.has_value());
  EXPECT_EQ(group.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(group.error().message, HasSubstr("'group': found a float, expected an int"));
}

TEST(Describe, NamesTheNode) {
  Graph graph;
  graph.nodes() = {node("Relu", {}, {}), node("Conv", {}, {})};
  graph.nodes()[1].name = "conv1";
  EXPECT_EQ(describe(graph, 0), "node 0 (Relu)");
  EXPECT_EQ(describe(graph, 1), "node 1 (Conv 'conv1')");
}

}  // namespace
}  // namespace moru::model
