// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/body.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"initial_state_and_scan_inputs", "N states, then M tensors that are cut along an axis"}};
constexpr PortSpec kOutputs[] = {{"final_state_and_scan_outputs", "N states, then K tensors that are put together along an axis"}};
constexpr AttributeSpec kAttributes[] = {
    {"body", AttributeKind::kGraph, "(N states, M slices) -> (N states, K slices)", true},
    {"num_scan_inputs", AttributeKind::kInt, "M", true},
    {"scan_input_axes", AttributeKind::kInts, "the axis that each of the M tensors is cut along; 0"},
    {"scan_input_directions", AttributeKind::kInts, "1: from the last slice to the first; 0"},
    {"scan_output_axes", AttributeKind::kInts, "the new axis of each of the K tensors; 0"},
    {"scan_output_directions", AttributeKind::kInts, "1: each slice goes before the others; 0"},
};
constexpr OpExample kExamples[] = {{"Running sums", R"(graph "sums" {
  opset 22
  init start = float32[] {0}
  init x = float32[3] {1, 2, 3}
  sum, sums = Scan(start, x) {body = graph "body" {
    opset 22
    input so_far: float32[]
    input one: float32[]
    next = Add(so_far, one)
    slice = Identity(next)
    output next
    output slice
  }, num_scan_inputs = 1}
  output sum
  output sums
})",
                                    ""}};
constexpr OpGap kGaps[] = {{"test_scan9_*", ops::kBodyReason}, {"test_scan_sum", "a Scan of opset 8, which works on batches"}};

/// The extent that the tensors are cut along.
Result<Dim> rounds_of(const InferContext& context, std::size_t states) {
  MORU_ASSIGN_OR_RETURN(const auto axes, ints_attribute(context.node(), "scan_input_axes", {}));
  const SymbolicShape* shape = ops::shape_of(context, states);
  if (shape == nullptr) return Dim{};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(axes.empty() ? 0 : axes[0], shape->size()));
  return (*shape)[axis];
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t scanned, int_attribute(context.node(), "num_scan_inputs", 0));
  if (scanned < 1 || std::cmp_greater(scanned, context.input_count())) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("attribute 'num_scan_inputs': found {}, expected 1 to {}", scanned, context.input_count()));
  }
  const Subgraph& body = ops::body_of(context.node(), "body");
  const std::size_t states = context.input_count() - static_cast<std::size_t>(scanned);
  const std::size_t outputs = context.node().outputs.size();
  MORU_RETURN_IF_ERROR(ops::expect_body(body, "body", context.input_count(), std::max(outputs, states)));
  MORU_ASSIGN_OR_RETURN(const Dim rounds, rounds_of(context, states));
  MORU_ASSIGN_OR_RETURN(const auto axes, ints_attribute(context.node(), "scan_output_axes", {}));
  for (std::size_t i = 0; i < outputs; ++i) {
    const ValueType& made = ops::body_output(body, i);
    if (i < states) {
      MORU_ASSIGN_OR_RETURN(auto type, ops::common_type(context.input(i), made, fmt::format("state {}", i)));
      context.set_output(i, std::move(type));
      continue;
    }
    ValueType type{made.dtype, made.shape};
    if (type.shape) {
      MORU_ASSIGN_OR_RETURN(const std::size_t axis,
                            ops::normalize_axis(i - states < axes.size() ? axes[i - states] : 0, type.shape->size() + 1));
      type.shape->insert(type.shape->begin() + static_cast<std::ptrdiff_t>(axis), rounds);
    }
    context.set_output(i, std::move(type));
  }
  return {};
}

/// Until opset 8 each input had a batch in front, and the first one said how long each of its sequences is.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 9) return {};
  return fail(ErrorCode::kUnsupported, "found a Scan of opset 8, expected one of opset 9 or newer; export the model again");
}

}  // namespace

extern const OpSpec kOp_scan;
const OpSpec kOp_scan{
    .name = "Scan",
    .domain = "",
    .since = 8,
    .doc =
        "Runs a graph on each slice of M tensors, with N states that go from round to round: for each i (states, outputs[i]) = "
        "body(states, inputs[i]).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .variadic_inputs = true,
    .variadic_outputs = true,
    .infer = infer,
    .reference = nullptr,
    .examples = kExamples,
    .gaps = kGaps,
    .upgrade = upgrade};

}  // namespace moru::model
