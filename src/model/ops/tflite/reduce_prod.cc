// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/reduce.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"axes", "the axes to reduce, int32"}};
constexpr PortSpec kOutputs[] = {{"output", "without those axes, or with extent 1"}};
constexpr AttributeSpec kAttributes[] = {{"keep_dims", AttributeKind::kInt, "1: reduced axes stay with extent 1"}};
constexpr OpExample kExamples[] = {{"Of rows", R"(graph "reduce_prod" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int32[1] {1}
  y: float32[2] = tflite::REDUCE_PROD(x, axes)
  output y
})",
                                    "float32[2] {2, 12}"}};

Status infer(InferContext& context) { return tflite_ops::infer_reduce(context, {DType::kFloat32, DType::kInt32, DType::kInt64}); }

Status reference(EvalContext& context) { return tflite_ops::run_reduce(context, tflite_ops::Reduction::kProduct); }

}  // namespace

extern const OpSpec kOp_tflite_reduce_prod;
const OpSpec kOp_tflite_reduce_prod{.name = "REDUCE_PROD",
                                    .domain = "tflite",
                                    .since = 1,
                                    .doc = "The product over axes: output = product over axes of input.",
                                    .inputs = kInputs,
                                    .outputs = kOutputs,
                                    .attributes = kAttributes,
                                    .infer = infer,
                                    .reference = reference,
                                    .examples = kExamples};

}  // namespace moru::model
