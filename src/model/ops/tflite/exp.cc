// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "exp" {
  init x = float32[2] {0, 1}
  y: float32[2] = tflite::EXP(x)
  output y
})",
                                    "float32[2] {1, 2.7182817}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kReal8); }

Status reference(EvalContext& context) {
  return tflite_ops::map_reals(context, [](float x) { return std::exp(x); });
}

}  // namespace

extern const OpSpec kOp_tflite_exp;
const OpSpec kOp_tflite_exp{.name = "EXP",
                            .domain = "tflite",
                            .since = 1,
                            .doc = "The exponential, any shape: y = exp(x). 8-bit integers go through a table.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = {},
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
