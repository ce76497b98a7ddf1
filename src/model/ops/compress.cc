// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any type, rank 1 or more"},
                                {"condition", "bool [m], m at most the extent; what is beyond it is not taken"}};
constexpr PortSpec kOutputs[] = {{"output", "[n], or input with the n slices of axis that are taken"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "slices of this axis are taken; left out: single elements"}};
constexpr OpExample kExamples[] = {{"One column", R"(graph "compress" {
  init x = float32[2, 3] {1, 2, 3, 4, 5, 6}
  init condition = bool[2] {false, true}
  y = Compress(x, condition) {axis = 1}
  output y
})",
                                    "float32[2, 1] {2, 5}"}};

/// The axis, or nullopt for single elements.
Result<std::optional<std::size_t>> axis_of(const Node& node, std::size_t rank) {
  if (!node.attributes.contains("axis")) return std::nullopt;
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t at, ops::normalize_axis(axis, rank));
  return std::optional(at);
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kBool}));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 1, "[m]"));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const auto axis, axis_of(context.node(), x->size()));
  MORU_ASSIGN_OR_RETURN(const Dim count, ops::product(*x));
  const Dim extent = axis ? (*x)[*axis] : count;
  const SymbolicShape* condition = ops::shape_of(context, 1);
  if (condition != nullptr && extent.known() && (*condition)[0].value > extent.value) {
    return ops::input_error(context, 1, fmt::format("found {} entries, expected at most {}", (*condition)[0].value, extent.value));
  }
  SymbolicShape y = axis ? *x : SymbolicShape(1);
  y[axis.value_or(0)] = Dim{};
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const auto axis, axis_of(context.node, x.rank()));
  std::vector<std::int64_t> taken;
  const auto condition = context.input(1).data<bool>();
  for (std::size_t i = 0; i < condition.size(); ++i) {
    if (condition[i]) taken.push_back(static_cast<std::int64_t>(i));
  }
  Dims dims = axis ? x.dims() : Dims{x.count()};
  const std::size_t at = axis.value_or(0);
  const std::int64_t extent = dims[at];
  const std::int64_t outer = ops::product_of(std::span(dims).first(at));
  const std::int64_t inner = ops::product_of(std::span(dims).subspan(at + 1));
  dims[at] = std::ssize(taken);
  MORU_ASSIGN_OR_RETURN(Tensor y, Tensor::create(x.dtype(), dims));
  const ops::ElementCopier copy(x, y, inner);
  std::int64_t to = 0;
  for (std::int64_t i = 0; y.count() > 0 && i < outer; ++i) {
    for (const std::int64_t index : taken) copy(to++, i * extent + index);
  }
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpSpec kOp_compress;
const OpSpec kOp_compress{.name = "Compress",
                          .domain = "",
                          .since = 9,
                          .doc = "The elements, or the slices along an axis, whose condition is true, in order.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attributes = kAttributes,
                          .infer = infer,
                          .reference = reference,
                          .examples = kExamples};

}  // namespace moru::model
