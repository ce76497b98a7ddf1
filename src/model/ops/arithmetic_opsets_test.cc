// SPDX-License-Identifier: Apache-2.0
// What elementwise ops, reductions, softmaxes and losses were in older opsets, and how they get there and back.
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

/// The graph of one node after that node's upgrade() or downgrade().
Result<Graph> rewritten(std::string_view body, std::int64_t opset, bool up) {
  MORU_ASSIGN_OR_RETURN(Graph graph, parse_text("graph \"test\" {\n" + std::string(body) + "\noutput y\n}"));
  const OpSpec* spec = find_op(graph.nodes()[0].op);
  NodeRewrite change{graph, opset, graph.nodes()[0], {}, {}};
  MORU_RETURN_IF_ERROR(up ? spec->upgrade(change) : spec->downgrade(change));
  std::vector<Node> nodes = std::move(change.before);
  nodes.push_back(std::move(change.node));
  std::ranges::move(change.after, std::back_inserter(nodes));
  graph.nodes() = std::move(nodes);
  graph.remove_unused();
  return graph;
}

/// Output y of a node of an older opset, by what it means here; or the error.
std::string run_old(std::string_view body, std::int64_t opset) {
  const auto graph = rewritten(body, opset, true);
  if (!graph) return graph.error().message;
  const auto outputs = evaluate(*graph, {});
  return outputs ? to_text(outputs->front()) : outputs.error().message;
}

std::string upgraded(std::string_view body, std::int64_t opset) {
  const auto graph = rewritten(body, opset, true);
  return graph ? to_text(*graph) : graph.error().message;
}

std::string downgraded(std::string_view body, std::int64_t opset) {
  const auto graph = rewritten(body, opset, false);
  return graph ? to_text(*graph) : graph.error().message;
}

constexpr std::string_view kTwo = "init a = float32[2, 2] {1, 2, 3, 4}\ninit b = float32[2] {10, 20}\n";
std::string with_two(std::string_view node) { return std::string(kTwo) + std::string(node); }

TEST(BroadcastOpsets, AnAxisSaysWhereBStretches) {
  EXPECT_EQ(run_old(with_two("y = Add(a, b) {broadcast = 1, axis = 0}"), 6), "float32[2, 2] {11, 12, 23, 24}");
  EXPECT_EQ(run_old(with_two("y = Add(a, b) {broadcast = 1, axis = 1}"), 6), "float32[2, 2] {11, 22, 13, 24}");
  EXPECT_EQ(run_old(with_two("y = Sub(a, b) {broadcast = 1, axis = -2}"), 6), "float32[2, 2] {-9, -8, -17, -16}");
  EXPECT_EQ(run_old(with_two("y = Mul(a, b) {broadcast = 1, consumed_inputs = [0, 0]}"), 1), "float32[2, 2] {10, 40, 30, 80}");
  EXPECT_EQ(run_old(with_two("y = Greater(b, b)"), 1), "bool[2] {false, false}");
  EXPECT_EQ(run_old("init a = bool[2, 1] {true, false}\ninit b = bool[2] {true, false}\ny = And(a, b) {broadcast = 1, axis = 0}", 1),
            "bool[2, 1] {true, false}");
}

TEST(BroadcastOpsets, AComputedBGetsItsAxesByANode) {
  EXPECT_THAT(upgraded("input a: float32[N, 3, 4]\ninput b: float32[3]\ny = Div(a, b) {broadcast = 1, axis = 1}", 6),
              HasSubstr("Unsqueeze(b, y_axes)"));
}

TEST(BroadcastOpsets, WhatCannotBeAlignedIsRefused) {
  EXPECT_THAT(run_old(with_two("y = Add(a, b) {broadcast = 1, axis = 2}"), 6), HasSubstr("expected a shape that fits into [2, 2]"));
  EXPECT_THAT(run_old(with_two("y = Add(a, b) {broadcast = 1, axis = -9223372036854775808}"), 6), HasSubstr("expected a shape that fits"));
  EXPECT_THAT(run_old(with_two("y = Add(a, b) {broadcast = 1, axis = 9223372036854775807}"), 6), HasSubstr("expected a shape that fits"));
  EXPECT_THAT(run_old(with_two("y = Add(a) {broadcast = 1, axis = 0}"), 6), HasSubstr("input 1: found none"));
}

TEST(PReluOpsets, OneSlopeAChannel) {
  constexpr std::string_view kData = "init x = float32[1, 2, 2] {-1, -2, -3, -4}\n";
  EXPECT_EQ(run_old(std::string(kData) + "init s = float32[2] {10, 100}\ny = PRelu(x, s)", 6), "float32[1, 2, 2] {-10, -20, -300, -400}");
  EXPECT_EQ(run_old(std::string(kData) + "init s = float32[1] {2}\ny = PRelu(x, s)", 6), "float32[1, 2, 2] {-2, -4, -6, -8}");
}

TEST(ClipOpsets, BoundsWereAttributes) {
  constexpr std::string_view kData = "init x = float32[3] {-1, 3, 9}\n";
  EXPECT_EQ(run_old(std::string(kData) + "y = Clip(x) {min = 0.0, max = 6.0}", 6), "float32[3] {0, 3, 6}");
  EXPECT_EQ(run_old(std::string(kData) + "y = Clip(x) {max = 6.0, consumed_inputs = [0]}", 1), "float32[3] {-1, 3, 6}");
  EXPECT_EQ(run_old("init x = float64[1] {7}\ny = Clip(x) {max = 6.0}", 10), "float64[1] {6}");
  EXPECT_THAT(run_old(std::string(kData) + "y = Clip(x) {max = 6}", 6), HasSubstr("'max'"));
}

TEST(SoftmaxOpsets, AllAxesFromTheGivenOneWereOne) {
  constexpr std::string_view kData = "init x = float32[1, 2, 2] {1, 1, 1, 1}\n";
  EXPECT_EQ(run_old(std::string(kData) + "y = Softmax(x)", 12), "float32[1, 2, 2] {0.25, 0.25, 0.25, 0.25}");
  EXPECT_EQ(run_old(std::string(kData) + "y = Softmax(x) {axis = 2}", 12), "float32[1, 2, 2] {0.5, 0.5, 0.5, 0.5}");
  EXPECT_EQ(run_old("init x = float32[2, 2] {1, 2, 4, 3}\ny = Hardmax(x) {axis = 0}", 1), "float32[2, 2] {0, 0, 1, 0}");
  EXPECT_THAT(upgraded("input x: float32[N, 10]\ny = LogSoftmax(x)", 9), Not(HasSubstr("Flatten")));
}

TEST(ReduceOpsets, AxesWereAnAttribute) {
  constexpr std::string_view kData = "init x = float32[2, 2] {1, 2, 3, 4}\n";
  EXPECT_EQ(run_old(std::string(kData) + "y = ReduceMax(x) {axes = [0], keepdims = 0}", 17), "float32[2] {3, 4}");
  EXPECT_EQ(run_old(std::string(kData) + "y = ReduceSum(x) {axes = [-1]}", 11), "float32[2, 1] {3, 7}");
  EXPECT_EQ(run_old(std::string(kData) + "y = ReduceMean(x)", 1), "float32[1, 1] {2.5}");
}

TEST(ReduceOpsets, AndBecomeOneAgain) {
  constexpr std::string_view kData = "input x: float32[2, 2]\ninit axes = int64[1] {1}\n";
  EXPECT_THAT(downgraded(std::string(kData) + "y = ReduceMean(x, axes)", 13), HasSubstr("ReduceMean(x) {axes = [1]}"));
  EXPECT_THAT(downgraded(std::string(kData) + "y = ReduceMean(x, axes) {noop_with_empty_axes = 1}", 17), HasSubstr("(x) {axes = [1]}"));
  EXPECT_THAT(downgraded(std::string(kData) + "y = ReduceMean(x, axes)", 18), HasSubstr("ReduceMean(x, axes)"));
  EXPECT_THAT(downgraded("input x: float32[2]\ny = ReduceL2(x) {noop_with_empty_axes = 1}", 13), HasSubstr("Identity(x)"));
  EXPECT_THAT(downgraded("input x: float32[2]\ninit a = int64[0] {}\ny = ReduceL2(x, a)", 13), HasSubstr("ReduceL2(x)\n"));
  EXPECT_THAT(downgraded("input x: float32[2]\ninput a: int64[1]\ny = ReduceL2(x, a)", 17), HasSubstr("which opset 17 cannot say"));
}

TEST(DropoutOpsets, RatioAndModeWereAttributesAndMasksNumbers) {
  constexpr std::string_view kData = "init x = float32[2] {1, 2}\n";
  EXPECT_EQ(run_old(std::string(kData) + "y = Dropout(x) {ratio = 0.9}", 7), "float32[2] {1, 2}");
  EXPECT_EQ(run_old(std::string(kData) + "y = Dropout(x) {ratio = 0.9, is_test = 1, consumed_inputs = [0]}", 1), "float32[2] {1, 2}");
  EXPECT_EQ(run_old(std::string(kData) + "y = Dropout(x) {ratio = 0.0}", 6), "float32[2] {1, 2}");
  EXPECT_EQ(run_old(std::string(kData) + "d, y = Dropout(x)", 7), "float32[2] {1, 1}");
  EXPECT_EQ(run_old(std::string(kData) + "d, y = Dropout(x)", 10), "bool[2] {true, true}");
  EXPECT_THAT(upgraded("input x: float32[2]\ny = Dropout(x)", 6), HasSubstr("training_mode"));
}

TEST(CastOpsets, TypesHadNames) {
  EXPECT_EQ(run_old("init x = float32[1] {1.5}\ny = Cast(x) {to = \"INT32\"}", 1), "int32[1] {1}");
  EXPECT_THAT(run_old("init x = float32[1] {1.5}\ny = Cast(x) {to = \"INT\"}", 1), HasSubstr("'to': found 'INT'"));
  EXPECT_THAT(downgraded("input x: float32[1]\ny = Cast(x) {saturate = 1, to = 6}", 13), HasSubstr("Cast(x) {to = 6}"));
}

TEST(TopKOpsets, KWasAnAttribute) {
  EXPECT_EQ(run_old("init x = float32[3] {1, 3, 2}\ny, i = TopK(x) {k = 2}", 1), "float32[2] {3, 2}");
  EXPECT_THAT(run_old("init x = float32[3] {1, 3, 2}\ny, i = TopK(x)", 1), HasSubstr("expected one of 0 or more"));
}

TEST(OldAttributes, OfOpsWithoutNewMeaningGo) {
  EXPECT_EQ(run_old("init x = float32[1] {4}\ny = Sqrt(x) {consumed_inputs = [0]}", 1), "float32[1] {2}");
  EXPECT_EQ(run_old("init x = float32[1, 1] {4}\ny = Gemm(x, x, x) {broadcast = 1}", 6), "float32[1, 1] {20}");
  EXPECT_EQ(run_old("init x = float32[1] {1}\ny = Selu(x)", 1), "float32[1] {1.0507}");
}

}  // namespace
}  // namespace moru::model
