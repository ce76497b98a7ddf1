// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"params", "any shape but a scalar"}, {"indices", "int16, int32 or int64"}};
constexpr PortSpec kOutputs[] = {{"output", "the axis replaced by the indices' own"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis of the params"},
                                         {"batch_dims", AttributeKind::kInt, "leading axes that both have"}};
constexpr OpExample kExamples[] = {{"Rows", R"(graph "gather" {
  init x = float32[3, 1] {1, 2, 3}
  init i = int32[2] {2, 0}
  y: float32[2, 1] = tflite::GATHER(x, i)
  output y
})",
                                    "float32[2, 1] {3, 1}"}};

struct Axes {
  std::size_t axis = 0;
  std::size_t batch = 0;
};

Result<Axes> axes_of(const Node& node, std::size_t rank, std::size_t index_rank) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(std::int64_t batch, int_attribute(node, "batch_dims", 0));
  Axes axes;
  MORU_ASSIGN_OR_RETURN(axes.axis, ops::normalize_axis(axis, rank));
  if (batch < 0) batch += static_cast<std::int64_t>(index_rank);
  if (batch < 0 || std::cmp_greater(batch, index_rank) || std::cmp_greater(batch, axes.axis))
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("attribute 'batch_dims': found {}, expected at most {} and the axis", batch, index_rank));
  axes.batch = static_cast<std::size_t>(batch);
  return axes;
}

/// Negative indices do not count from the end.
Result<std::vector<std::int64_t>> indices_below(const Tensor& tensor, std::int64_t extent) {
  auto indices = ops::to_ints(tensor);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < 0 || indices[i] >= extent)
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("input 1 (indices): found {} at element {}, expected 0 to {}", indices[i], i, extent - 1));
  }
  return indices;
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kInt32, DType::kInt64}));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* indices = ops::shape_of(context, 1);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr || indices == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const Axes axes, axes_of(context.node(), x->size(), indices->size()));
  SymbolicShape y(x->begin(), x->begin() + static_cast<std::ptrdiff_t>(axes.axis));
  y.insert(y.end(), indices->begin() + static_cast<std::ptrdiff_t>(axes.batch), indices->end());
  y.insert(y.end(), x->begin() + static_cast<std::ptrdiff_t>(axes.axis) + 1, x->end());
  for (std::size_t i = 0; i < axes.batch; ++i) MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, i, (*x)[i], "as the params"));
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  const Tensor& picks = context.input(1);
  MORU_ASSIGN_OR_RETURN(const Axes axes, axes_of(context.node, x.rank(), picks.rank()));
  const std::int64_t extent = x.dims()[axes.axis];
  MORU_ASSIGN_OR_RETURN(const auto indices, indices_below(picks, extent));
  const std::int64_t batches = ops::product_of(std::span(x.dims()).first(axes.batch));
  const std::int64_t outer = ops::product_of(std::span(x.dims()).subspan(axes.batch, axes.axis - axes.batch));
  const std::int64_t inner = ops::product_of(std::span(x.dims()).subspan(axes.axis + 1));
  const std::int64_t each = batches == 0 ? 0 : static_cast<std::int64_t>(indices.size()) / batches;
  if (context.outputs[0].count() == 0) return {};
  const ops::ElementCopier copy(x, context.outputs[0], inner);
  std::int64_t to = 0;
  for (std::int64_t b = 0; b < batches; ++b) {
    for (std::int64_t o = 0; o < outer; ++o) {
      for (std::int64_t i = 0; i < each; ++i) copy(to++, (b * outer + o) * extent + indices[static_cast<std::size_t>(b * each + i)]);
    }
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_gather;
const OpSpec kOp_tflite_gather{
    .name = "GATHER",
    .domain = "tflite",
    .since = 1,
    .doc =
        "Slices by their index along one axis: output[b..., a..., i..., c...] = params[b..., a..., indices[b..., "
        "i...], c...], with batch_dims leading axes b that both have.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
