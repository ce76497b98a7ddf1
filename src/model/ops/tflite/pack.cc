// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"values", "one or more of one type and shape"}};
constexpr PortSpec kOutputs[] = {{"output", "with the new axis"}};
constexpr AttributeSpec kAttributes[] = {{"values_count", AttributeKind::kInt, "how many inputs"},
                                         {"axis", AttributeKind::kInt, "the axis"}};
constexpr OpExample kExamples[] = {{"Two scalars", R"(graph "pack" {
  init a = float32[] {1}
  init b = float32[] {2}
  y: float32[2] = tflite::PACK(a, b) {axis = 0, values_count = 2}
  output y
})",
                                    "float32[2] {1, 2}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_movable(context, 0, context.input_count() - 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(context.node(), "axis", 0));
  context.set_output(0, {dtype, std::nullopt});
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr) return {};
  SymbolicShape y = *x;
  for (std::size_t i = 1; i < context.input_count(); ++i) {
    const SymbolicShape* other = ops::shape_of(context, i);
    if (other == nullptr) continue;
    MORU_RETURN_IF_ERROR(ops::expect_rank(context, i, y.size(), "as input 0"));
    for (std::size_t axis = 0; axis < y.size(); ++axis) {
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, i, axis, y[axis], "as the inputs before it"));
      y[axis] = *ops::merge(y[axis], (*other)[axis]);
    }
  }
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given, y.size() + 1));
  y.insert(y.begin() + static_cast<std::ptrdiff_t>(axis), Dim{static_cast<std::int64_t>(context.input_count()), {}});
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(context.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given, y.rank()));
  const std::int64_t inner = ops::product_of(std::span(y.dims()).subspan(axis + 1));
  const std::int64_t outer = ops::product_of(std::span(y.dims()).first(axis));
  for (std::size_t i = 0; i < context.inputs.size(); ++i) {
    const ops::ElementCopier copy(context.input(i), y, inner);
    for (std::int64_t row = 0; row < outer; ++row) copy(row * y.dims()[axis] + static_cast<std::int64_t>(i), row);
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_pack;
const OpSpec kOp_tflite_pack{.name = "PACK",
                             .domain = "tflite",
                             .since = 1,
                             .doc = "Tensors of one shape along a new axis. values [...] -> output [..., number of values, ...].",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = kAttributes,
                             .variadic_inputs = true,
                             .infer = infer,
                             .reference = reference,
                             .examples = kExamples};

}  // namespace moru::model
