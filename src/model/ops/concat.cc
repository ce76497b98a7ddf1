// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstring>

#include "model/ops/support/movement.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"inputs", "one or more, of one type and rank; extents may differ on axis only"}};
constexpr PortSpec kOutputs[] = {{"concat_result", "the extents on axis add up"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis along which they are joined", true}};
constexpr OpExample kExamples[] = {{"Columns side by side", R"(graph "concat" {
  init a = float32[2, 1] {1, 2}
  init b = float32[2, 2] {3, 4, 5, 6}
  y = Concat(a, b) {axis = 1}
  output y
})",
                                    "float32[2, 3] {1, 3, 4, 2, 5, 6}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_movable(context, 0, context.input_count() - 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node(), "axis", 0));
  context.set_output(0, {dtype, std::nullopt});
  const SymbolicShape* first = ops::shape_of(context, 0);
  if (first == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, first->size()));
  SymbolicShape y = *first;
  for (std::size_t i = 1; i < context.input_count(); ++i) {
    const SymbolicShape* x = ops::shape_of(context, i);
    if (x == nullptr) return {};
    MORU_RETURN_IF_ERROR(ops::expect_rank(context, i, y.size(), "as input 0"));
    for (std::size_t j = 0; j < y.size(); ++j) {
      if (j == axis) continue;
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, i, j, y[j], "as the inputs before it"));
      y[j] = *ops::merge(y[j], (*x)[j]);
    }
    const bool known = y[axis].known() && (*x)[axis].known();
    y[axis] = known ? Dim{y[axis].value + (*x)[axis].value, {}} : Dim{};
    if (y[axis].value > ops::kMaxExtent) return ops::input_error(context, i, "found more than 2^40 elements on the axis, expected less");
  }
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, y.rank()));
  const std::int64_t outer = ops::product_of(std::span(y.dims()).first(axis));
  std::byte* to = y.mutable_bytes().data();
  for (std::int64_t i = 0; i < outer; ++i) {
    for (const Tensor* x : context.inputs) {
      const std::size_t size = x->size_bytes() / static_cast<std::size_t>(outer);
      if (size != 0) std::memcpy(to, x->bytes().data() + static_cast<std::size_t>(i) * size, size);
      to += size;
    }
  }
  return {};
}

/// Before opset 4 the axis could be left out: 1.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset < 4) rewrite.node.attributes.try_emplace("axis", std::int64_t{1});
  return {};
}

}  // namespace

extern const OpSpec kOp_concat;
const OpSpec kOp_concat{.name = "Concat",
                        .domain = "",
                        .since = 1,
                        .doc = "Joins tensors along one axis. inputs [..., Ai, ...] -> concat_result [..., A0 + A1 + ..., ...].",
                        .inputs = kInputs,
                        .outputs = kOutputs,
                        .attributes = kAttributes,
                        .variadic_inputs = true,
                        .infer = infer,
                        .reference = reference,
                        .examples = kExamples,
                        .upgrade = upgrade};

}  // namespace moru::model
