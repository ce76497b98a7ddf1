// SPDX-License-Identifier: Apache-2.0
// Ops with bodies: what verify() checks of them, and what types they give.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

Graph parsed(std::string_view text) {
  auto graph = parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return std::move(*graph);
}

/// The text of output 0's type, or the error.
std::string infer(std::string_view text) {
  Graph graph = parsed(text);
  const Status status = infer_shapes(graph);
  if (!status) return status.error().message;
  const ValueType& type = graph.value(graph.outputs[0]).type;
  return std::string(type.dtype ? to_string(*type.dtype) : "?") + (type.shape ? to_string(*type.shape) : "[*]");
}

std::string branches(std::string_view yes, std::string_view no, std::string_view outputs = "y") {
  return "graph \"g\" { opset 22 input c: bool[] input x: float32[2, 3] input z: float32[2, 5] " + std::string(outputs) +
         " = If(c) {then_branch = graph \"then\" (x, z) { opset 22 input x input z " + std::string(yes) +
         " }, else_branch = graph \"else\" (x, z) { opset 22 input x input z " + std::string(no) + " }} as branch output y }";
}

TEST(If, GivesWhatBothBranchesHaveInCommon) {
  EXPECT_EQ(infer(branches("y = Relu(x) output y", "y = Neg(x) output y")), "float32[2, 3]");
  EXPECT_EQ(infer(branches("y = Relu(x) output y", "y = Neg(z) output y")), "float32[2, ?]");
  EXPECT_EQ(infer(branches("y = Relu(x) output y", "init y = float32[] {1} output y")), "float32[*]");
}

TEST(If, BranchesMustFit) {
  EXPECT_THAT(infer(branches("y = Relu(x) output y", "init y = int8[2, 3] {1, 2, 3, 4, 5, 6} output y")),
              HasSubstr("node 0 (If 'branch'): output 0: found float32 and int8, expected one element type"));
  EXPECT_THAT(infer(branches("y = Relu(x) output y", "y = Neg(x) output y", "y, w")),
              HasSubstr("attribute 'then_branch': found a graph with 0 inputs and 1 outputs, expected 0 and 2"));
  // The last two inputs stand for what is captured; the first is one that If does not give.
  EXPECT_THAT(infer(branches("input more y = Relu(x) output y", "y = Neg(x) output y")),
              HasSubstr("attribute 'then_branch': found a graph with 1 inputs and 1 outputs, expected 0 and 1"));
}

TEST(Loop, StatesAndValuesOfRounds) {
  const std::string text = R"(graph "g" { opset 22 input n: int64[] input c: bool[] input v: float32[2]
    s, all = Loop(n, c, v) {body = graph "body" { opset 22 input i: int64[] input go: bool[] input v: float32[2]
      t = Relu(v) on = Identity(go) u = Neg(t) output on output t output u }} )";
  EXPECT_EQ(infer(text + "output all }"), "float32[?, 2]");
  EXPECT_EQ(infer(text + "output s }"), "float32[2]");
  EXPECT_THAT(infer(R"(graph "g" { opset 22 input n: int64[] input c: bool[]
    s = Loop(n, c) {body = graph "body" { opset 22 input i: int64[] on = Identity(i) output on output i }} output s })"),
              HasSubstr("attribute 'body': found a graph with 1 inputs and 2 outputs, expected 2 and 2"));
}

TEST(Scan, PutsSlicesTogether) {
  const std::string text = R"(graph "g" { opset 22 input v: float32[4] input x: float32[7, 4]
    s, all = Scan(v, x) {num_scan_inputs = COUNT, scan_output_axes = [1], body = graph "body" { opset 22 input v: float32[4] input x: float32[4]
      t = Add(v, x) u = Neg(t) output t output u }} output all })";
  const auto with_count = [&](std::string_view count) {
    std::string changed = text;
    return infer(changed.replace(changed.find("COUNT"), 5, count));
  };
  EXPECT_EQ(with_count("1"), "float32[4, 7]");
  EXPECT_THAT(with_count("3"), HasSubstr("'num_scan_inputs': found 3, expected 1 to 2"));
  EXPECT_THAT(with_count("0"), HasSubstr("'num_scan_inputs': found 0"));
}

TEST(VerifyBodies, WhatIsAroundThemMustFit) {
  Graph graph = parsed(branches("y = Relu(x) output y", "y = Neg(x) output y"));
  const auto error_after = [&](auto change) {
    Graph changed = graph;
    Subgraph& body = std::get<Subgraph>(changed.nodes()[0].attributes.at("then_branch"));
    change(body);
    const Status status = verify(changed);
    return status ? std::string("no error") : status.error().message;
  };
  EXPECT_EQ(error_after([](Subgraph&) {}), "no error");
  EXPECT_THAT(error_after([](Subgraph& body) { body.graph = nullptr; }),
              HasSubstr("node 0 (If 'branch'): attribute 'then_branch': found no graph"));
  EXPECT_THAT(error_after([](Subgraph& body) { body.captures.push_back(0); }), HasSubstr("found 3 captured values and 2 inputs"));
  EXPECT_THAT(error_after([](Subgraph& body) { body.captures[0] = 99; }), HasSubstr("found value number 99"));
  EXPECT_THAT(error_after([&](Subgraph& body) { body.captures[0] = graph.outputs[0]; }), HasSubstr("found a use before it is made"));
  const auto change_body = [](Subgraph& body, auto change) {
    Graph inner = *body.graph;
    change(inner);
    body.graph = std::make_shared<const Graph>(std::move(inner));
  };
  EXPECT_THAT(error_after([&](Subgraph& body) { change_body(body, [](Graph& inner) { inner.opset = 13; }); }),
              HasSubstr("found opset 13, expected 22 as of the graph around it"));
  EXPECT_THAT(error_after([&](Subgraph& body) { change_body(body, [](Graph& inner) { inner.nodes()[0].op = "Rellu"; }); }),
              HasSubstr("attribute 'then_branch': node 0 (Rellu): found op 'Rellu'"));
}

TEST(VerifyBodies, DepthHasALimit) {
  Graph inner = parsed("graph \"g\" { opset 22 init c = bool[] {true} output c }");
  for (int depth = 1; depth <= kMaxGraphDepth + 1; ++depth) {
    Graph outer = parsed("graph \"g\" { opset 22 init c = bool[] {true} }");
    const Subgraph body{std::make_shared<const Graph>(std::move(inner)), {}};
    Node node;
    node.op = "If";
    node.inputs = {0};
    node.outputs = {outer.add_value("y")};
    node.attributes["then_branch"] = body;
    outer.nodes() = {node};
    outer.nodes()[0].attributes["else_branch"] =
        Subgraph{std::make_shared<const Graph>(parsed("graph \"e\" { opset 22 init c = bool[] {true} output c }")), {}};
    outer.outputs = node.outputs;
    const Status status = verify(outer);
    EXPECT_EQ(status.has_value(), depth <= kMaxGraphDepth) << depth;
    if (!status) {
      EXPECT_THAT(status.error().message, HasSubstr("found graphs more than 64 deep"));
    }
    inner = std::move(outer);
  }
}

TEST(EvaluateBodies, TheReferenceSaysThatItHasNone) {
  const Graph graph = parsed(branches("y = Relu(x) output y", "y = Neg(x) output y"));
  const auto outputs = evaluate(graph, std::vector{Tensor::scalar(true), Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}),
                                                   Tensor::create(DType::kFloat32, {2, 5}).value()});
  ASSERT_FALSE(outputs.has_value());
  EXPECT_EQ(outputs.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(outputs.error().message, HasSubstr("node 0 (If 'branch'): found 'If', which has no reference"));
}

}  // namespace
}  // namespace moru::model
