// SPDX-License-Identifier: Apache-2.0
#include <numbers>

#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr std::string_view kWays[] = {"none", "tanh"};
constexpr AttributeSpec kAttributes[] = {{"approximate", AttributeKind::kString, "\"none\" or \"tanh\"; \"none\""}};
constexpr OpExample kExamples[] = {{"Small below 0, X above", R"(graph "gelu" {
  init x = float32[3] {-1, 0, 2}
  y = Gelu(x)
  output y
})",
                                    "float32[3] {-0.15865526, 0, 1.9544997}"},
                                   {"By tanh", R"(graph "gelu" {
  init x = float32[2] {-1, 2}
  y = Gelu(x) {approximate = "tanh"}
  output y
})",
                                    "float32[2] {-0.15880801, 1.9545977}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::word_attribute(context.node(), "approximate", kWays));
  return ops::infer_unary<ops::kFloats>(context);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::size_t is_tanh, ops::word_attribute(context.node, "approximate", kWays));
  return ops::map_floats(context, [is_tanh](double x) {
    const double slope =
        is_tanh != 0 ? std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)) : std::erf(x / std::numbers::sqrt2);
    return 0.5 * x * (1.0 + slope);
  });
}

}  // namespace

extern const OpSpec kOp_gelu;
constinit const OpSpec kOp_gelu =
    ops::unary_op({.name = "Gelu",
                   .since = 20,
                   .doc = "Element by element, any shape: Y = X * (1 + erf(X / sqrt(2))) / 2, or near it Y = X * (1 + tanh(sqrt(2 / pi) * "
                          "(X + 0.044715 * X^3))) / 2; Hendrycks and Gimpel, \"Gaussian Error Linear Units\" (2016).",
                   .infer = infer,
                   .reference = reference,
                   .examples = kExamples,
                   .attributes = kAttributes});

}  // namespace moru::model
