// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/indices.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type and shape"}, {"axes", "int64 [axes], places of the new axes in the output"}};
constexpr PortSpec kOutputs[] = {{"expanded", "data with axes of extent 1"}};
constexpr OpExample kExamples[] = {{"In front and behind", R"(graph "unsqueeze" {
  init x = float32[2] {1, 2}
  init axes = int64[2] {0, -1}
  y = Unsqueeze(x, axes)
  output y
})",
                                    "float32[1, 2, 1] {1, 2}"}};

// No model has nearly as many; looking each of a million up would take minutes.
constexpr std::size_t kMostAxes = 1024;

Status infer(InferContext& context) {
  const SymbolicShape* x = ops::shape_of(context, 0);
  MORU_ASSIGN_OR_RETURN(const auto given, ops::constant_ints(context, 1));
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  if (!given) {
    if (const auto count = ops::list_length(context, 1)) {
      context.set_output(0, {context.input(0).dtype, SymbolicShape(x->size() + *count)});
    }
    return {};
  }
  if (given->size() > kMostAxes) {
    return ops::input_error(context, 1, fmt::format("found {} axes, expected at most {}", given->size(), kMostAxes));
  }
  MORU_ASSIGN_OR_RETURN(const auto axes, ops::normalize_axes(*given, x->size() + given->size()));
  SymbolicShape y;
  std::size_t from = 0;
  for (std::size_t axis = 0; axis < x->size() + axes.size(); ++axis) {
    const bool is_new = std::ranges::find(axes, axis) != axes.end();
    y.push_back(is_new ? Dim{1, {}} : (*x)[from++]);
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

extern const OpSpec kOp_unsqueeze;
const OpSpec kOp_unsqueeze{.name = "Unsqueeze",
                           .domain = "",
                           .since = 1,
                           .doc = "The same elements with new axes of extent 1. data [a, b], axes [1] -> expanded [a, 1, b].",
                           .inputs = kInputs,
                           .outputs = kOutputs,
                           .attributes = {},
                           .infer = infer,
                           .reference = reference,
                           .examples = kExamples,
                           .upgrade = upgrade};

}  // namespace moru::model
