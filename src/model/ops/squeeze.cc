// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/indices.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type and shape"}, {"axes", "int64 [axes], axes of extent 1; all that there are", true}};
constexpr PortSpec kOutputs[] = {{"squeezed", "data without axes"}};
constexpr OpExample kExamples[] = {{"Only the first axis goes", R"(graph "squeeze" {
  init x = float32[1, 2, 1] {1, 2}
  init axes = int64[1] {0}
  y = Squeeze(x, axes)
  output y
})",
                                    "float32[2, 1] {1, 2}"}};

/// Which axes go; nullopt when that is not known.
Result<std::optional<std::vector<std::size_t>>> axes_of(const InferContext& context, const SymbolicShape& x) {
  MORU_ASSIGN_OR_RETURN(const auto given, ops::constant_ints(context, 1));
  if (given) {
    MORU_ASSIGN_OR_RETURN(auto axes, ops::normalize_axes(*given, x.size()));
    return std::optional(std::move(axes));
  }
  if (context.has_input(1) || !ops::known_dims(x)) return std::nullopt;
  std::vector<std::size_t> axes;
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    if (x[axis].value == 1) axes.push_back(axis);
  }
  return std::optional(std::move(axes));
}

Status infer(InferContext& context) {
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const auto axes, axes_of(context, *x));
  if (!axes) return {};
  SymbolicShape y;
  for (std::size_t axis = 0; axis < x->size(); ++axis) {
    if (std::ranges::find(*axes, axis) == axes->end()) {
      y.push_back((*x)[axis]);
    } else {
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, 0, axis, Dim{1, {}}, "an axis that is taken away"));
    }
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  context.outputs[0] = context.input(0).reshaped(context.outputs[0].dims());
  return {};
}

/// Before opset 13 axes was an attribute.
Status upgrade(NodeRewrite& rewrite) { return rewrite.opset < 13 ? ops::attribute_to_input(rewrite, "axes", 1) : Status(); }

}  // namespace

extern const OpSpec kOp_squeeze;
const OpSpec kOp_squeeze{.name = "Squeeze",
                         .domain = "",
                         .since = 1,
                         .doc = "The same elements without axes of extent 1. data [a, 1, b] -> squeezed [a, b].",
                         .inputs = kInputs,
                         .outputs = kOutputs,
                         .attributes = {},
                         .infer = infer,
                         .reference = reference,
                         .examples = kExamples,
                         .upgrade = upgrade};

}  // namespace moru::model
