// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/reduce.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"axes", "the axes to reduce, int32"}};
constexpr PortSpec kOutputs[] = {{"output", "without those axes, or with extent 1"}};
constexpr AttributeSpec kAttributes[] = {{"keep_dims", AttributeKind::kInt, "1: reduced axes stay with extent 1"}};
constexpr OpExample kExamples[] = {{"Sums of rows", R"(graph "sum" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int32[1] {1}
  y: float32[2] = tflite::SUM(x, axes)
  output y
})",
                                    "float32[2] {3, 7}"}};

Status infer(InferContext& context) { return tflite_ops::infer_reduce(context, tflite_ops::kNumber); }

Status reference(EvalContext& context) { return tflite_ops::run_reduce(context, tflite_ops::Reduction::kSum); }

}  // namespace

extern const OpSpec kOp_tflite_sum;
const OpSpec kOp_tflite_sum{.name = "SUM",
                            .domain = "tflite",
                            .since = 1,
                            .doc = "The sum over axes: output = sum over axes of input.",
                            .inputs = kInputs,
                            .outputs = kOutputs,
                            .attributes = kAttributes,
                            .infer = infer,
                            .reference = reference,
                            .examples = kExamples};

}  // namespace moru::model
