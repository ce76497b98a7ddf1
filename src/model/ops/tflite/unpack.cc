// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape but a scalar"}};
constexpr PortSpec kOutputs[] = {{"outputs", "one an index"}};
constexpr AttributeSpec kAttributes[] = {{"num", AttributeKind::kInt, "how many outputs"}, {"axis", AttributeKind::kInt, "the axis"}};
constexpr OpExample kExamples[] = {{"Two scalars", R"(graph "unpack" {
  init x = float32[2] {1, 2}
  y: float32[], z: float32[] = tflite::UNPACK(x) {axis = 0, num = 2}
  output y
  output z
})",
                                    "float32[] {1}\nfloat32[] {2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(context.node(), "axis", 0));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const auto count = static_cast<std::int64_t>(context.node().outputs.size());
  ValueType type{context.input(0).dtype, std::nullopt};
  if (x != nullptr) {
    MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given, x->size()));
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 0, axis, Dim{count, {}}, "as the outputs"));
    type.shape = *x;
    type.shape->erase(type.shape->begin() + static_cast<std::ptrdiff_t>(axis));
  }
  for (std::size_t i = 0; i < context.node().outputs.size(); ++i) context.set_output(i, type);
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(context.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given, x.rank()));
  const std::int64_t inner = ops::product_of(std::span(x.dims()).subspan(axis + 1));
  const std::int64_t outer = ops::product_of(std::span(x.dims()).first(axis));
  for (std::size_t i = 0; i < context.outputs.size(); ++i) {
    const ops::ElementCopier copy(x, context.outputs[i], inner);
    for (std::int64_t row = 0; row < outer; ++row) copy(row, row * x.dims()[axis] + static_cast<std::int64_t>(i));
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_unpack;
const OpSpec kOp_tflite_unpack{.name = "UNPACK",
                               .domain = "tflite",
                               .since = 1,
                               .doc = "A tensor for each index of an axis, without that axis.",
                               .inputs = kInputs,
                               .outputs = kOutputs,
                               .attributes = kAttributes,
                               .variadic_outputs = true,
                               .infer = infer,
                               .reference = reference,
                               .examples = kExamples};

}  // namespace moru::model
