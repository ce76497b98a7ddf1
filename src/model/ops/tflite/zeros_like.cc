// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr OpExample kExamples[] = {{"Two zeros", R"(graph "zeros_like" {
  init x = float32[2] {3, -2}
  y: float32[2] = tflite::ZEROS_LIKE(x)
  output y
})",
                                    "float32[2] {0, 0}"}};

Status infer(InferContext& context) { return tflite_ops::infer_same(context, {DType::kFloat32, DType::kInt32, DType::kInt64}); }

Status reference(EvalContext& context) {
  std::ranges::fill(context.outputs[0].mutable_bytes(), std::byte{0});
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_zeros_like;
const OpSpec kOp_tflite_zeros_like{.name = "ZEROS_LIKE",
                                   .domain = "tflite",
                                   .since = 1,
                                   .doc = "Zeros of the shape and type of the input.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attributes = {},
                                   .infer = infer,
                                   .reference = reference,
                                   .examples = kExamples};

}  // namespace moru::model
