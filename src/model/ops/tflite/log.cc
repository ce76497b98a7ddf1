// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "log" {
  init x = float32[2] {1, 2.7182817}
  y: float32[2] = tflite::LOG(x)
  output y
})",
                                    "float32[2] {0, 0.99999994}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, {DType::kFloat32, DType::kInt8}); }

Status reference(EvalContext& context) {
  return tflite_ops::map_reals(context, [](float x) { return std::log(x); });
}

}  // namespace

extern const OpSpec kOp_tflite_log;
const OpSpec kOp_tflite_log{.name = "LOG",
                            .domain = "tflite",
                            .since = 1,
                            .doc =
                                "The natural logarithm, any shape: y = log(x). 8-bit integers go through a table, where what is not "
                                "positive becomes the lowest level.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = {},
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
