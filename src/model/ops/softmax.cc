// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape but a scalar"}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis along which the results sum to 1; -1"}};
constexpr OpExample kExamples[] = {{"Scores become probabilities", R"(graph "softmax" {
  init x = float32[1, 3] {1, 2, 3}
  y = Softmax(x)
  output y
})",
                                    "float32[1, 3] {0.09003057, 0.24472848, 0.66524094}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(context.node(), "axis", -1));
  if (const SymbolicShape* x = ops::shape_of(context, 0)) MORU_RETURN_IF_ERROR(ops::normalize_axis(axis, x->size()));
  return ops::infer_like_input(context, ops::kFloatOnly);
}

Status reference(EvalContext& context) {
  const Dims& dims = context.input(0).dims();
  Tensor& y = context.outputs[0];
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node, "axis", -1));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, dims.size()));
  const std::int64_t inner = ops::product_of(std::span(dims).subspan(axis + 1));
  const std::int64_t extent = dims[axis];
  const std::int64_t lines = y.count() == 0 ? 0 : y.count() / extent;
  for (std::int64_t line = 0; line < lines; ++line) {
    const std::int64_t start = line / inner * inner * extent + line % inner;
    const float* from = context.input(0).data<float>().data() + start;
    float* to = y.mutable_data<float>().data() + start;
    // Without the largest taken off, exp() overflows.
    float largest = -std::numeric_limits<float>::infinity();
    for (std::int64_t i = 0; i < extent; ++i) largest = std::max(largest, from[i * inner]);
    double sum = 0;
    for (std::int64_t i = 0; i < extent; ++i) sum += std::exp(static_cast<double>(from[i * inner]) - static_cast<double>(largest));
    for (std::int64_t i = 0; i < extent; ++i) {
      to[i * inner] = static_cast<float>(std::exp(static_cast<double>(from[i * inner]) - static_cast<double>(largest)) / sum);
    }
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_softmax;
const OpSpec kOp_softmax{.name = "Softmax",
                         .domain = "",
                         .since = 13,
                         .doc = "Along one axis, any shape: output[i] = exp(input[i]) / sum over j of exp(input[j]).",
                         .inputs = kInputs,
                         .outputs = kOutputs,
                         .attributes = kAttributes,
                         .infer = infer,
                         .reference = reference,
                         .examples = kExamples};

}  // namespace moru::model
