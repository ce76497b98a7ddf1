// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/reduce.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"axes", "the axes to reduce, int32"}};
constexpr PortSpec kOutputs[] = {{"output", "without those axes, or with extent 1"}};
constexpr AttributeSpec kAttributes[] = {{"keep_dims", AttributeKind::kInt, "1: reduced axes stay with extent 1"}};
constexpr OpExample kExamples[] = {{"Of rows", R"(graph "reduce_any" {
  init x = bool[2, 2] {false, true, false, false}
  init axes = int32[1] {1}
  y: bool[2] = tflite::REDUCE_ANY(x, axes)
  output y
})",
                                    "bool[2] {true, false}"}};

Status infer(InferContext& context) { return tflite_ops::infer_reduce(context, {DType::kBool}); }

Status reference(EvalContext& context) { return tflite_ops::run_reduce(context, tflite_ops::Reduction::kAny); }

}  // namespace

extern const OpSpec kOp_tflite_reduce_any;
const OpSpec kOp_tflite_reduce_any{.name = "REDUCE_ANY",
                                   .domain = "tflite",
                                   .since = 1,
                                   .doc = "Whether any element over axes is true.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attributes = kAttributes,
                                   .infer = infer,
                                   .reference = reference,
                                   .examples = kExamples};

}  // namespace moru::model
