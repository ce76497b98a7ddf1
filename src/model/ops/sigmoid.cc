// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "any shape"}};
constexpr PortSpec kOutputs[] = {{"Y", "as X, in (0, 1)"}};
constexpr OpExample kExamples[] = {{"0 is in the middle", R"(graph "sigmoid" {
  init x = float32[3] {-2, 0, 2}
  y = Sigmoid(x)
  output y
})",
                                    "float32[3] {0.11920292, 0.5, 0.880797}"}};

Status infer(InferContext& context) { return ops::infer_like_input(context, ops::kFloatOnly); }

Status reference(EvalContext& context) {
  std::ranges::transform(context.input(0).data<float>(), context.outputs[0].mutable_data<float>().begin(),
                         [](float x) { return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x)))); });
  return {};
}

}  // namespace

extern const OpSpec kOp_sigmoid;
const OpSpec kOp_sigmoid{.name = "Sigmoid",
                         .domain = "",
                         .since = 6,
                         .doc = "Element by element, any shape: Y = 1 / (1 + exp(-X)).",
                         .inputs = kInputs,
                         .outputs = kOutputs,
                         .attributes = {},
                         .infer = infer,
                         .reference = reference,
                         .examples = kExamples};

}  // namespace moru::model
