// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type, rank 1 or more"},
                                {"indices", "int32 or int64, any shape: indices of axis; negative: from the end"}};
constexpr PortSpec kOutputs[] = {{"output", "data with axis replaced by the axes of indices"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis that is indexed; 0"}};
constexpr OpExample kExamples[] = {{"Rows of a table", R"(graph "gather" {
  init table = float32[3, 2] {1, 2, 3, 4, 5, 6}
  init rows = int64[3] {2, 0, -1}
  y = Gather(table, rows)
  output y
})",
                                    "float32[3, 2] {5, 6, 1, 2, 5, 6}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kIndexTypes));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node(), "axis", 0));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* indices = ops::shape_of(context, 1);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, x->size()));
  if (indices == nullptr) return {};
  SymbolicShape y(x->begin(), x->begin() + static_cast<std::ptrdiff_t>(axis));
  y.insert(y.end(), indices->begin(), indices->end());
  y.insert(y.end(), x->begin() + static_cast<std::ptrdiff_t>(axis) + 1, x->end());
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, x.rank()));
  const std::int64_t extent = x.dims()[axis];
  MORU_ASSIGN_OR_RETURN(const auto indices, ops::read_indices(context.input(1), extent, "input 1 (indices)"));
  if (context.outputs[0].count() == 0) return {};
  const std::int64_t outer = ops::product_of(std::span(x.dims()).first(axis));
  const ops::ElementCopier copy(x, context.outputs[0], ops::product_of(std::span(x.dims()).subspan(axis + 1)));
  std::int64_t to = 0;
  for (std::int64_t i = 0; i < outer; ++i) {
    for (const std::int64_t index : indices) copy(to++, i * extent + index);
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_gather;
const OpSpec kOp_gather{.name = "Gather",
                        .domain = "",
                        .since = 1,
                        .doc =
                            "Slices of a tensor by their index. data [A, n, B], indices [I...] on axis 1 -> output [A, I..., B]: "
                            "output[a, i..., b] = data[a, indices[i...], b].",
                        .inputs = kInputs,
                        .outputs = kOutputs,
                        .attributes = kAttributes,
                        .infer = infer,
                        .reference = reference,
                        .examples = kExamples};

}  // namespace moru::model
