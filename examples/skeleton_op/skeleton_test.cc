// SPDX-License-Identifier: Apache-2.0
// What the examples do not show: defaults and bad input. Copy the tests to src/model/ops/behaviour_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

std::string run(std::string_view body) {
  const auto graph = parse_text("graph \"test\" {\n" + std::string(body) + "\noutput y\n}");
  if (!graph) return graph.error().message;
  const auto outputs = evaluate(*graph, {});
  return outputs ? to_text(outputs->front()) : outputs.error().message;
}

TEST(Skeleton, SlopeIsATenthWhenLeftOut) {
  EXPECT_EQ(run("init x = float32[2] {-10, 10}\ny = moru.examples::Skeleton(x)"), "float32[2] {-1, 10}");
}

TEST(Skeleton, RefusesOtherTypes) {
  EXPECT_THAT(run("init x = int8[1] {1}\ny = moru.examples::Skeleton(x)"), HasSubstr("input 0 (x): found int8, expected float32"));
}

}  // namespace
}  // namespace moru::model
