// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type, rank 1 or more"},
                                {"indices", "int32 or int64, data's rank: indices of axis; negative: from the end"}};
constexpr PortSpec kOutputs[] = {{"output", "shaped as indices"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis that is indexed; 0"}};
constexpr OpExample kExamples[] = {{"One element of each row", R"(graph "gather_elements" {
  init x = float32[2, 3] {1, 2, 3, 4, 5, 6}
  init indices = int64[2, 1] {2, -3}
  y = GatherElements(x, indices) {axis = 1}
  output y
})",
                                    "float32[2, 1] {3, 4}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kIndexTypes));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node(), "axis", 0));
  context.set_output(0, {context.input(0).dtype, context.input(1).shape});
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, x->size()));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, x->size(), "as data"));
  const SymbolicShape* indices = ops::shape_of(context, 1);
  for (std::size_t i = 0; indices != nullptr && i < x->size(); ++i) {
    if (i != axis && (*x)[i].known() && (*indices)[i].value > (*x)[i].value) {
      return ops::input_error(context, 1,
                              fmt::format("found {} in axis {}, expected at most {} as data has", (*indices)[i].value, i, (*x)[i].value));
    }
  }
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, x.rank()));
  MORU_ASSIGN_OR_RETURN(const auto indices, ops::read_indices(context.input(1), x.dims()[axis], "input 1 (indices)"));
  const auto strides = ops::strides_of(x.dims());
  std::size_t next = 0;
  ops::gather_elements(x, context.outputs[0], [&](std::span<const std::int64_t> index) {
    std::int64_t offset = indices[next++] * strides[axis];
    for (std::size_t i = 0; i < index.size(); ++i) offset += i == axis ? 0 : index[i] * strides[i];
    return offset;
  });
  return {};
}

}  // namespace

extern const OpSpec kOp_gather_elements;
const OpSpec kOp_gather_elements{.name = "GatherElements",
                                 .domain = "",
                                 .since = 11,
                                 .doc =
                                     "Elements of a tensor, each by an index of one axis. data [a, n, b], indices [i, m, j] on axis 1 -> "
                                     "output [i, m, j]: output[p, q, r] = data[p, indices[p, q, r], r].",
                                 .inputs = kInputs,
                                 .outputs = kOutputs,
                                 .attributes = kAttributes,
                                 .infer = infer,
                                 .reference = reference,
                                 .examples = kExamples};

}  // namespace moru::model
