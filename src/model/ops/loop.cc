// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/body.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"M", "int64, one element: the most rounds; without it no limit", true},
                                {"cond", "bool, one element: false runs no round; true", true},
                                {"v_initial", "N tensors: the state before the first round", true}};
constexpr PortSpec kOutputs[] = {{"v_final_and_scan_outputs", "N tensors, the state after the last round; K tensors [rounds, ...]"}};
constexpr AttributeSpec kAttributes[] = {
    {"body", AttributeKind::kGraph, "(round, cond, N states) -> (go on, N states, K values of this round)", true}};
constexpr OpExample kExamples[] = {{"Doubles a number three times", R"(graph "double" {
  opset 22
  init rounds = int64[] {3}
  init go = bool[] {true}
  init x = float32[] {1}
  y = Loop(rounds, go, x) {body = graph "body" {
    opset 22
    input round: int64[]
    input go_on: bool[]
    input v: float32[]
    again = Identity(go_on)
    doubled = Add(v, v)
    output again
    output doubled
  }}
  output y
})",
                                    ""}};
constexpr OpGap kGaps[] = {{"test_loop11", ops::kBodyReason},
                           {"test_loop13_seq", ops::kBodyReason},
                           {"test_loop16_seq_none", ops::kBodyReason},
                           {"test_range_float_type_positive_delta_expanded", ops::kBodyReason},
                           {"test_range_int32_type_negative_delta_expanded", ops::kBodyReason}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, {DType::kInt64}));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kBool}));
  const Subgraph& body = ops::body_of(context.node(), "body");
  const std::size_t states = context.input_count() > 2 ? context.input_count() - 2 : 0;
  const std::size_t outputs = context.node().outputs.size();
  MORU_RETURN_IF_ERROR(ops::expect_body(body, "body", 2 + states, 1 + std::max(outputs, states)));
  for (std::size_t i = 0; i < outputs; ++i) {
    const ValueType& made = ops::body_output(body, 1 + i);
    if (i < states) {
      // No round may run, and then the state is the initial one.
      MORU_ASSIGN_OR_RETURN(auto type, ops::common_type(context.input(2 + i), made, fmt::format("state {}", i)));
      context.set_output(i, std::move(type));
    } else {
      ValueType type{made.dtype, made.shape};
      if (type.shape) type.shape->insert(type.shape->begin(), Dim{});
      context.set_output(i, std::move(type));
    }
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_loop;
const OpSpec kOp_loop{
    .name = "Loop",
    .domain = "",
    .since = 1,
    .doc =
        "Runs a graph again and again, as a for or a while does: for (i = 0; i < M && cond; ++i) (cond, states, values[i]) = "
        "body(i, cond, states).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .variadic_inputs = true,
    .variadic_outputs = true,
    .infer = infer,
    .reference = nullptr,
    .examples = kExamples,
    .gaps = kGaps};

}  // namespace moru::model
