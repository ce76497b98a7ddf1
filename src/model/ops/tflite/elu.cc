// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "elu" {
  init x = float32[2] {1, -1}
  y: float32[2] = tflite::ELU(x)
  output y
})",
                                    "float32[2] {1, -0.63212055}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, tflite_ops::kReal8); }

Status reference(EvalContext& context) {
  return tflite_ops::map_reals(context, [](float x) { return x < 0.0F ? std::expm1(x) : x; });
}

}  // namespace

extern const OpSpec kOp_tflite_elu;
const OpSpec kOp_tflite_elu{.name = "ELU",
                            .domain = "tflite",
                            .since = 1,
                            .doc = "y = x above 0, exp(x) - 1 below, any shape. 8-bit integers go through a table.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = {},
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
