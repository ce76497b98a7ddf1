// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/activation.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}, {"alpha", "stretches to the shape of x"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"A slope a channel", R"(graph "prelu" {
  init x = float32[1, 2] {-2, -2}
  init a = float32[2] {0.5, 3}
  y: float32[1, 2] = tflite::PRELU(x, a)
  output y
})",
                                    "float32[1, 2] {-1, -6}"}};

Status infer(InferContext& context) { return tflite_ops::infer_broadcast(context, tflite_ops::kReal8); }

Status reference(EvalContext& context) { return tflite_ops::run_prelu(context); }

}  // namespace

extern const OpSpec kOp_tflite_prelu;
const OpSpec kOp_tflite_prelu{.name = "PRELU",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "y = x above 0, alpha * x below, with an alpha that stretches to the shape of x.",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = {},
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
