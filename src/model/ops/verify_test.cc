// SPDX-License-Identifier: Apache-2.0
#include "model/ops/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Graph parsed(std::string_view text) {
  auto graph = parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return graph ? std::move(*graph) : Graph();
}

Graph chain() { return parsed("graph \"g\" { input x: float32[2] a = Relu(x) as first y = Sigmoid(a) output y }"); }

void expect_refused(const Graph& graph, ErrorCode code, std::string_view message) {
  const Status status = verify(graph);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, code);
  EXPECT_THAT(status.error().message, HasSubstr(message));
}

TEST(Verify, AcceptsAGoodGraph) { EXPECT_TRUE(verify(chain()).has_value()); }

TEST(Verify, NodesMustStandInOrder) {
  Graph graph = chain();
  std::swap(graph.nodes()[0], graph.nodes()[1]);
  expect_refused(graph, ErrorCode::kInvalidArgument, "node 0 (Sigmoid): value 'a': found a use before it is made");
}

TEST(Verify, AValueHasOneProducer) {
  Graph graph = chain();
  graph.nodes()[1].outputs = graph.nodes()[0].outputs;
  expect_refused(graph, ErrorCode::kInvalidArgument, "node 1 (Sigmoid): value 'a': found a second producer");
  graph = chain();
  graph.inputs.push_back(graph.inputs[0]);
  expect_refused(graph, ErrorCode::kInvalidArgument, "graph input: value 'x': found a second producer");
}

TEST(Verify, OutputsMustBeMade) {
  Graph graph = chain();
  graph.outputs.push_back(graph.add_value("nowhere"));
  expect_refused(graph, ErrorCode::kInvalidArgument, "graph output: value 'nowhere': found a use before it is made");
}

TEST(Verify, ValueNumbersMustExist) {
  for (const ValueId id : {ValueId{99}, ValueId{-7}}) {
    Graph graph = chain();
    graph.nodes()[1].inputs[0] = id;
    expect_refused(graph, ErrorCode::kInvalidArgument, "expected 0 to 2");
  }
  Graph graph = chain();
  graph.outputs[0] = kNoValue;
  expect_refused(graph, ErrorCode::kInvalidArgument, "found value number -1");
}

TEST(Verify, AnInitializersTypeIsItsTensors) {
  Graph graph = chain();
  const ValueId w = graph.add_initializer("w", Tensor::scalar<float>(1));
  graph.set_type(w, {DType::kInt8, SymbolicShape{}});
  expect_refused(graph, ErrorCode::kInvalidArgument, "initializer 'w'");
}

TEST(Verify, UnknownOpNamesTheNearest) {
  expect_refused(parsed("graph \"g\" { input x y = Rellu(x) output y }"), ErrorCode::kUnsupported,
                 "node 0 (Rellu): found op 'Rellu', expected one that `moru ops` lists (did you mean 'Relu'?)");
  EXPECT_TRUE(verify(parsed("graph \"g\" { input x y = acme::Relu(x) output y }")).has_value()) << "of another domain: kept as it is";
}

TEST(Verify, CountsOfInputsAndOutputs) {
  expect_refused(parsed("graph \"g\" { input x y = Relu(x, x) output y }"), ErrorCode::kInvalidArgument,
                 "found 2 inputs, expected at most 1");
  expect_refused(parsed("graph \"g\" { y = Relu() output y }"), ErrorCode::kInvalidArgument, "input 0 (X): found none, expected one");
  expect_refused(parsed("graph \"g\" { input x y = Conv(x, _, x) output y }"), ErrorCode::kInvalidArgument,
                 "input 1 (W): found none, expected one");
  expect_refused(parsed("graph \"g\" { input x y, z = Relu(x) output y }"), ErrorCode::kInvalidArgument,
                 "found 2 outputs, expected at most 1");
  expect_refused(parsed("graph \"g\" { input x _ = Relu(x) output x }"), ErrorCode::kInvalidArgument,
                 "output 0 (Y): found none, expected one");
  expect_refused(parsed("graph \"g\" { input x y = Concat(x, _) {axis = 0} output y }"), ErrorCode::kInvalidArgument,
                 "input 1: found none, expected one");
}

TEST(Verify, NamesAndTypesOfAttributes) {
  expect_refused(parsed("graph \"g\" { input x y = Softmax(x) {axiss = 1} output y }"), ErrorCode::kInvalidArgument,
                 "attribute 'axiss': found an unknown one, expected one of Softmax (did you mean 'axis'?)");
  expect_refused(parsed("graph \"g\" { input x y = Softmax(x) {axis = 1.0} output y }"), ErrorCode::kInvalidArgument,
                 "attribute 'axis': found a float, expected an int");
  expect_refused(parsed("graph \"g\" { input x y = MaxPool(x) output y }"), ErrorCode::kInvalidArgument,
                 "attribute 'kernel_shape': found none, expected one");
}

TEST(Evaluate, RunsInOrderAndShowsEachValue) {
  const Graph graph = parsed(
      R"(graph "g" { input x: float32[N] init two = float32[] {2} a = Mul(x, two) y = Relu(a) output y output a output two output x })");
  struct Seen {
    const Graph& graph;
    std::vector<std::string> names;
  } user{graph, {}};
  const auto outputs = evaluate(
      graph, std::vector{Tensor::of<float>({2}, {-1, 3})},
      [](void* context, ValueId id, const Tensor& tensor) {
        auto& self = *static_cast<Seen*>(context);
        self.names.push_back(self.graph.value(id).name + " " + to_text(tensor));
      },
      &user);
  ASSERT_TRUE(outputs.has_value()) << outputs.error().message;
  EXPECT_THAT(user.names, ElementsAre("x float32[2] {-1, 3}", "a float32[2] {-2, 6}", "y float32[2] {0, 6}"));
  ASSERT_EQ(outputs->size(), 4U);
  EXPECT_EQ(to_text((*outputs)[0]), "float32[2] {0, 6}");
  EXPECT_EQ(to_text((*outputs)[1]), "float32[2] {-2, 6}");
  EXPECT_EQ(to_text((*outputs)[2]), "float32[] {2}");
  EXPECT_EQ(to_text((*outputs)[3]), "float32[2] {-1, 3}");
}

TEST(Evaluate, InputsMustFitTheGraph) {
  const Graph graph = parsed("graph \"g\" { input a: float32[N, 2] input b: float32[N, 1] y = Add(a, b) output y }");
  const Tensor good_a = Tensor::of<float>({1, 2}, {1, 2});
  const Tensor good_b = Tensor::of<float>({1, 1}, {1});
  const auto message = [&](std::vector<Tensor> inputs) {
    const auto outputs = evaluate(graph, inputs);
    return outputs ? std::string("no error") : outputs.error().message;
  };
  EXPECT_EQ(message({good_a, good_b}), "no error");
  EXPECT_THAT(message({good_a}), HasSubstr("found 1 inputs, expected 2"));
  EXPECT_THAT(message({good_b, good_b}), HasSubstr("input 'a': found float32[1, 1], expected float32[N, 2]"));
  EXPECT_THAT(message({Tensor::of<double>({1, 2}, {1, 2}), good_b}), HasSubstr("input 'a': found float64[1, 2]"));
  EXPECT_THAT(message({Tensor::of<float>({2}, {1, 2}), good_b}), HasSubstr("input 'a': found float32[2]"));
  EXPECT_THAT(message({Tensor::of<float>({2, 2}, {1, 2, 3, 4}), good_b}), HasSubstr("input 'b': found 1 for 'N', expected 2"));
}

TEST(Evaluate, ChecksShapesThatOnlyTheDataShow) {
  const Graph graph = parsed("graph \"g\" { input a input b y = MatMul(a, b) as product output y }");
  const auto outputs = evaluate(graph, std::vector{Tensor::of<float>({1, 2}, {1, 2}), Tensor::of<float>({3, 1}, {1, 2, 3})});
  ASSERT_FALSE(outputs.has_value());
  EXPECT_THAT(outputs.error().message, HasSubstr("node 0 (MatMul 'product'): input 1 (B): found 3 in axis 0"));
}

TEST(EvaluateNode, InputsMustFitTheNode) {
  const Graph graph = parsed("graph \"g\" { input x y = Relu(x) output y }");
  const Node& node = graph.nodes()[0];
  EXPECT_FALSE(evaluate_node(node, {}).has_value());
  const Tensor* none = nullptr;
  EXPECT_FALSE(evaluate_node(node, std::span(&none, 1)).has_value());
  const Tensor x = Tensor::of<float>({1}, {-1});
  const Tensor* one = &x;
  const auto outputs = evaluate_node(node, std::span(&one, 1));
  ASSERT_TRUE(outputs.has_value());
  EXPECT_EQ(to_text(outputs->front()), "float32[1] {0}");
}

}  // namespace
}  // namespace moru::model
