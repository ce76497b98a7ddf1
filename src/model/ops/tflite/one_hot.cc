// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"indices", "any shape, int32 or int64"},
                                {"depth", "a scalar, int32"},
                                {"on_value", "a scalar"},
                                {"off_value", "a scalar of the same type"}};
constexpr PortSpec kOutputs[] = {{"output", "with the new axis"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis"}};
constexpr OpExample kExamples[] = {{"One of three", R"(graph "one_hot" {
  init i = int32[1] {1}
  init d = int32[] {3}
  init a = float32[] {1}
  init b = float32[] {0}
  y: float32[1, 3] = tflite::ONE_HOT(i, d, a, b) {axis = -1}
  output y
})",
                                    "float32[1, 3] {0, 1, 0}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, {DType::kInt32, DType::kInt64}));
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 2));
  MORU_RETURN_IF_ERROR(ops::common_dtype(context, tflite_ops::kMovable, 2));
  MORU_RETURN_IF_ERROR(ops::expect_single_element(context, 2));
  MORU_RETURN_IF_ERROR(ops::expect_single_element(context, 3));
  MORU_ASSIGN_OR_RETURN(const auto depth, ops::constant_index(context, 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(context.node(), "axis", -1));
  context.set_output(0, {context.input(2).dtype, std::nullopt});
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (depth && (*depth < 0 || *depth > ops::kMaxExtent))
    return ops::input_error(context, 1, fmt::format("found {}, expected 0 or more", *depth));
  if (x == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given, x->size() + 1));
  SymbolicShape y = *x;
  y.insert(y.begin() + static_cast<std::ptrdiff_t>(axis), depth ? Dim{*depth, {}} : Dim{});
  context.set_output(0, {context.input(2).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  ops::fill(context.input(3), y);
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(context.node, "axis", -1));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given, y.rank()));
  const std::int64_t inner = ops::product_of(std::span(y.dims()).subspan(axis + 1));
  const std::int64_t depth = y.dims()[axis];
  const auto indices = ops::to_ints(context.input(0));
  const ops::ElementCopier copy(context.input(2), y);
  for (std::int64_t i = 0; i < std::ssize(indices); ++i) {
    const std::int64_t index = indices[static_cast<std::size_t>(i)];
    if (index >= 0 && index < depth) copy((i / inner * depth + index) * inner + i % inner, 0);
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_one_hot;
const OpSpec kOp_tflite_one_hot{.name = "ONE_HOT",
                                .domain = "tflite",
                                .since = 1,
                                .doc = "on_value where the index is, off_value elsewhere, along a new axis of `depth` elements.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attributes = kAttributes,
                                .infer = infer,
                                .reference = reference,
                                .examples = kExamples};

}  // namespace moru::model
