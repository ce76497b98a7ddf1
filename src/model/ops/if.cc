// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/body.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"cond", "bool, one element"}};
constexpr PortSpec kOutputs[] = {{"outputs", "what the chosen graph gives"}};
constexpr AttributeSpec kAttributes[] = {
    {"then_branch", AttributeKind::kGraph, "the graph that runs when cond is true; no inputs but what it captures", true},
    {"else_branch", AttributeKind::kGraph, "the other one, with as many outputs of the same types", true},
};
constexpr OpExample kExamples[] = {{"The larger of two numbers", R"(graph "larger" {
  opset 22
  init a = float32[] {1}
  init b = float32[] {2}
  c = Greater(a, b)
  y = If(c) {then_branch = graph "then" (a) {
    opset 22
    input a
    larger_a = Identity(a)
    output larger_a
  }, else_branch = graph "else" (b) {
    opset 22
    input b
    larger_b = Identity(b)
    output larger_b
  }}
  output y
})",
                                    ""}};
constexpr OpGap kGaps[] = {{"test_if", ops::kBodyReason}, {"test_if_opt", ops::kBodyReason}, {"test_if_seq", ops::kBodyReason}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, {DType::kBool}));
  const Subgraph& yes = ops::body_of(context.node(), "then_branch");
  const Subgraph& no = ops::body_of(context.node(), "else_branch");
  const std::size_t count = context.node().outputs.size();
  MORU_RETURN_IF_ERROR(ops::expect_body(yes, "then_branch", 0, count));
  MORU_RETURN_IF_ERROR(ops::expect_body(no, "else_branch", 0, count));
  for (std::size_t i = 0; i < count; ++i) {
    MORU_ASSIGN_OR_RETURN(auto type, ops::common_type(ops::body_output(yes, i), ops::body_output(no, i), fmt::format("output {}", i)));
    context.set_output(i, std::move(type));
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_if;
const OpSpec kOp_if{.name = "If",
                    .domain = "",
                    .since = 1,
                    .doc = "Runs one of two graphs: outputs = then_branch() if cond, else else_branch().",
                    .inputs = kInputs,
                    .outputs = kOutputs,
                    .attributes = kAttributes,
                    .variadic_outputs = true,
                    .infer = infer,
                    .reference = nullptr,
                    .examples = kExamples,
                    .gaps = kGaps};

}  // namespace moru::model
