// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "neg" {
  init x = float32[2] {3, -2}
  y: float32[2] = tflite::NEG(x)
  output y
})",
                                    "float32[2] {-3, 2}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, {DType::kFloat32, DType::kInt32, DType::kInt64}); }

Status reference(EvalContext& context) {
  // Of floats the sign alone changes: 0 becomes -0.
  return ops::map_numbers(context,
                          [](auto x) { return std::is_floating_point_v<decltype(x)> ? -x : ops::wrap_subtract(decltype(x){0}, x); });
}

}  // namespace

extern const OpSpec kOp_tflite_neg;
const OpSpec kOp_tflite_neg{.name = "NEG",
                            .domain = "tflite",
                            .since = 1,
                            .doc = "The negative, any shape: y = -x. Integers wrap around.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = {},
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
