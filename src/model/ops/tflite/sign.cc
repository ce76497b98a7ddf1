// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "sign" {
  init x = float32[2] {3, -2}
  y: float32[2] = tflite::SIGN(x)
  output y
})",
                                    "float32[2] {1, -1}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, {DType::kFloat32, DType::kInt32}); }

Status reference(EvalContext& context) {
  return ops::map_numbers(context, [](auto x) { return x > 0 ? decltype(x){1} : x < 0 ? static_cast<decltype(x)>(-1) : x; });
}

}  // namespace

extern const OpSpec kOp_tflite_sign;
const OpSpec kOp_tflite_sign{.name = "SIGN",
                             .domain = "tflite",
                             .since = 1,
                             .doc = "The sign, any shape: y = -1, 0 or 1; NaN stays.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = {},
                             .infer = infer,
                             .reference = reference,
                             .examples = kExamples};

}  // namespace moru::model
