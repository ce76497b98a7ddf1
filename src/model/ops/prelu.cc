// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/elementwise.h"
#include "model/ops/support/rewrite.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "any shape"}, {"slope", "of X's type; stretches to X"}};
constexpr OpExample kExamples[] = {{"A slope a channel", R"(graph "prelu" {
  init x = float32[1, 2, 2] {-1, 1, -1, 1}
  init slope = float32[2, 1] {0.5, 0.25}
  y = PRelu(x, slope)
  output y
})",
                                    "float32[1, 2, 2] {-0.5, 1, -0.25, 1}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kNumbers));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* slope = ops::shape_of(context, 1);
  if (x != nullptr && slope != nullptr) {
    const auto both = ops::broadcast(*x, *slope);
    bool fits = both && both->size() == x->size();
    for (std::size_t i = 0; fits && i < x->size(); ++i) fits = ops::merge((*both)[i], (*x)[i]).has_value();
    if (!fits) {
      return ops::input_error(context, 1, fmt::format("found {}, expected a shape that stretches to {}", to_string(*slope), to_string(*x)));
    }
  }
  context.set_output(0, {dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  return ops::zip_numbers(context, []<class W>(W x, W slope) { return x < W{0} ? ops::wrap_multiply(slope, x) : x; });
}

/// Before opset 7 a slope was one for all, or one a channel.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 7) return {};
  MORU_RETURN_IF_ERROR(ops::drop_consumed_inputs(rewrite));
  MORU_RETURN_IF_ERROR(ops::expect_inputs(rewrite, 2));
  const auto& slope = rewrite.graph.value(rewrite.node.inputs[1]).type.shape;
  if (slope && (slope->empty() || (slope->size() == 1 && (*slope)[0].value == 1))) return {};
  return ops::align_input(rewrite, 1);
}

}  // namespace

extern const OpSpec kOp_prelu;
constinit const OpSpec kOp_prelu{.name = "PRelu",
                                 .domain = "",
                                 .since = 1,
                                 .doc = "Element by element, any shape: Y = X where X >= 0, else slope * X.",
                                 .inputs = kInputs,
                                 .outputs = ops::kY,
                                 .attributes = {},
                                 .infer = infer,
                                 .reference = reference,
                                 .examples = kExamples,
                                 .gaps = {},
                                 .upgrade = upgrade};

}  // namespace moru::model
