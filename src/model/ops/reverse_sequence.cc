// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any type, rank 2 or more; its first two axes are batch and time"},
                                {"sequence_lens", "int64 [batch], how many steps of each are turned round, 0 to time"}};
constexpr PortSpec kOutputs[] = {{"Y", "as input"}};
constexpr AttributeSpec kAttributes[] = {{"batch_axis", AttributeKind::kInt, "0 or 1; 1"},
                                         {"time_axis", AttributeKind::kInt, "0 or 1, the other one; 0"}};
constexpr OpExample kExamples[] = {{"Of the first row all, of the second two", R"(graph "reverse_sequence" {
  init x = int8[2, 3] {1, 2, 3, 4, 5, 6}
  init lengths = int64[2] {3, 2}
  y = ReverseSequence(x, lengths) {batch_axis = 0, time_axis = 1}
  output y
})",
                                    "int8[2, 3] {3, 2, 1, 5, 4, 6}"}};

Result<std::size_t> batch_axis_of(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t batch, int_attribute(node, "batch_axis", 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t time, int_attribute(node, "time_axis", 0));
  if ((batch == 0 && time == 1) || (batch == 1 && time == 0)) return static_cast<std::size_t>(batch);
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("attributes 'batch_axis' and 'time_axis': found {} and {}, expected 0 and 1 or 1 and 0", batch, time));
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kInt64}));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 1, "[batch]"));
  MORU_ASSIGN_OR_RETURN(const std::size_t batch, batch_axis_of(context.node()));
  if (const SymbolicShape* x = ops::shape_of(context, 0)) {
    if (x->size() < 2) return ops::input_error(context, 0, fmt::format("found rank {}, expected 2 or more", x->size()));
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, 0, (*x)[batch], "the batch"));
  }
  context.set_output(0, context.input(0));
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const std::size_t batch, batch_axis_of(context.node));
  const std::size_t time = 1 - batch;
  const auto lengths = context.input(1).data<std::int64_t>();
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0 || lengths[i] > x.dims()[time]) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("input 1 (sequence_lens): found {} at element {}, expected 0 to {}", lengths[i], i, x.dims()[time]));
    }
  }
  const auto strides = ops::strides_of(x.dims());
  ops::gather_elements(x, context.outputs[0], [&](std::span<const std::int64_t> index) {
    const std::int64_t length = lengths[static_cast<std::size_t>(index[batch])];
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
      const bool is_turned = axis == time && index[axis] < length;
      offset += (is_turned ? length - 1 - index[axis] : index[axis]) * strides[axis];
    }
    return offset;
  });
  return {};
}

}  // namespace

extern const OpSpec kOp_reverse_sequence;
const OpSpec kOp_reverse_sequence{
    .name = "ReverseSequence",
    .domain = "",
    .since = 10,
    .doc =
        "Turns the first steps of each sequence round: Y[t, b, ...] = input[len - 1 - t, b, ...] for t below len = "
        "sequence_lens[b], input[t, b, ...] behind.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
