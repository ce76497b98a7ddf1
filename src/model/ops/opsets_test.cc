// SPDX-License-Identifier: Apache-2.0
// What convolutions, pools, normalisations, recurrent and quantising ops were in older opsets, and how they get there and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

/// The only node of the body, after upgrade() or downgrade(), as text; or the error.
std::string rewrite(std::string_view body, std::int64_t opset, bool up) {
  auto graph = parse_text("graph \"test\" {\n" + std::string(body) + "\noutput y\n}");
  if (!graph) return graph.error().message;
  const OpSpec* spec = find_op(graph->nodes()[0].op);
  NodeRewrite change{*graph, opset, graph->nodes()[0], {}, {}};
  const Status done = up ? spec->upgrade(change) : spec->downgrade(change);
  if (!done) return done.error().message;
  graph->nodes()[0] = change.node;
  graph->remove_unused();
  return to_text(*graph);
}
std::string upgraded(std::string_view body, std::int64_t from) { return rewrite(body, from, true); }
std::string downgraded(std::string_view body, std::int64_t to) { return rewrite(body, to, false); }

constexpr std::string_view kNorm = "input x: float32[1, 2]\ninput s: float32[2]\n";

TEST(BatchNormalizationOpsets, OldFlagsGoAndOutputsMeanTraining) {
  const std::string inputs(kNorm);
  EXPECT_THAT(upgraded(inputs + "y = BatchNormalization(x, s, s, s, s) {consumed_inputs = [0, 0, 0, 1, 1], is_test = 1, spatial = 1}", 6),
              HasSubstr("BatchNormalization(x, s, s, s, s)\n"));
  EXPECT_THAT(upgraded(inputs + "y, m, v, _, _ = BatchNormalization(x, s, s, s, s)", 9), HasSubstr("{training_mode = 1}"));
  EXPECT_THAT(upgraded(inputs + "y, m, v, a, b = BatchNormalization(x, s, s, s, s)", 9), HasSubstr("expected no saved statistics"));
  EXPECT_THAT(upgraded(inputs + "y = BatchNormalization(x, s, s, s, s) {spatial = 0}", 7), HasSubstr("'spatial': found 0"));
  EXPECT_THAT(downgraded(inputs + "y = BatchNormalization(x, s, s, s, s) {training_mode = 0}", 13), HasSubstr("(x, s, s, s, s)\n"));
  EXPECT_THAT(downgraded(inputs + "y = BatchNormalization(x, s, s, s, s) {training_mode = 1}", 13), HasSubstr("which opset 13 cannot say"));
}

TEST(PoolOpsets, WhatOlderOnesCannotSayIsRefusedAndWhatTheyMeanAnywayGoes) {
  constexpr std::string_view kInput = "input x: float32[1, 1, 4]\n";
  const auto average = std::string(kInput) + "y = AveragePool(x) {dilations = [1], kernel_shape = [2]}";
  EXPECT_THAT(downgraded(average, 18), HasSubstr("AveragePool(x) {kernel_shape = [2]}"));
  EXPECT_THAT(downgraded(average, 19), HasSubstr("dilations = [1]"));
  EXPECT_THAT(downgraded(std::string(kInput) + "y = AveragePool(x) {dilations = [2], kernel_shape = [2]}", 18),
              HasSubstr("found attribute 'dilations' of [2], which opset 18 cannot say"));
  EXPECT_THAT(downgraded(std::string(kInput) + "y = LpPool(x) {ceil_mode = 1, kernel_shape = [2]}", 17), HasSubstr("'ceil_mode' of 1"));
  EXPECT_THAT(upgraded(std::string(kInput) + "y = LpPool(x) {kernel_shape = [2], p = 3.0}", 1), HasSubstr("p = 3}"));
  EXPECT_THAT(upgraded(std::string(kInput) + "y = GlobalLpPool(x) {p = 2.5}", 1), HasSubstr("expected a small whole number"));
}

TEST(GroupNormalizationOpsets, ScalesOfAGroupBecomeThoseOfItsChannelsAndBack) {
  constexpr std::string_view kGroups = R"(input x: float32[N, 4, 2]
    init s = float32[2] {1, 2}
    init b = float32[2] {3, 4}
    y = GroupNormalization(x, s, b) {num_groups = 2})";
  const auto up = upgraded(kGroups, 18);
  EXPECT_THAT(up, HasSubstr("float32[4] {1, 1, 2, 2}"));
  EXPECT_THAT(up, HasSubstr("float32[4] {3, 3, 4, 4}"));
  constexpr std::string_view kChannels = R"(input x: float32[N, 4, 2]
    init s = float32[4] {1, 1, 2, 2}
    init b = float32[4] {3, 3, 4, LAST}
    y = GroupNormalization(x, s, b) {num_groups = 2})";
  std::string channels(kChannels);
  channels.replace(channels.find("LAST"), 4, "4");
  EXPECT_THAT(downgraded(channels, 20), HasSubstr("float32[2] {3, 4}"));
  channels.replace(channels.find("4, 4}"), 5, "4, 5}");
  EXPECT_THAT(downgraded(channels, 20), HasSubstr("differ within a group"));
}

TEST(QuantizeLinearOpsets, OutputTypeBecomesAZeroPoint) {
  constexpr std::string_view kInputs = "input x: float32[2]\ninit s = float32[] {1}\n";
  EXPECT_THAT(downgraded(std::string(kInputs) + "y = QuantizeLinear(x, s) {output_dtype = 3}", 13), HasSubstr("= int8[] {0}"));
  EXPECT_THAT(downgraded(std::string(kInputs) + "y = QuantizeLinear(x, s) {output_dtype = 2}", 13), HasSubstr("QuantizeLinear(x, s)\n"));
  EXPECT_THAT(downgraded(std::string(kInputs) + "y = QuantizeLinear(x, s) {output_dtype = 5}", 13), HasSubstr("found int16"));
  EXPECT_THAT(downgraded(std::string(kInputs) + "y = QuantizeLinear(x, s) {block_size = 2}", 20), HasSubstr("'block_size' of 2"));
  EXPECT_THAT(downgraded("input x: int4[2]\ninit s = float32[] {1}\ny = DequantizeLinear(x, s)", 20), HasSubstr("found int4"));
}

TEST(RecurrentOpsets, LayoutAndOutputSequence) {
  constexpr std::string_view kInputs = "input x: float32[3, 1, 2]\ninput w: float32[1, 4, 2]\ninput r: float32[1, 4, 1]\n";
  EXPECT_THAT(upgraded(std::string(kInputs) + "y = LSTM(x, w, r) {hidden_size = 1, output_sequence = 1}", 1),
              HasSubstr("{hidden_size = 1}"));
  EXPECT_THAT(downgraded(std::string(kInputs) + "y = LSTM(x, w, r) {hidden_size = 1, layout = 1}", 13), HasSubstr("'layout' of 1"));
  EXPECT_THAT(downgraded(std::string(kInputs) + "y = LSTM(x, w, r) {hidden_size = 1, layout = 0}", 13), HasSubstr("{hidden_size = 1}"));
}

}  // namespace
}  // namespace moru::model
