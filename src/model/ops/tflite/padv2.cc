// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/pad.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"},
                                {"paddings", "[rank, 2]: before and after each axis, int32 or int64"},
                                {"constant", "the value, of the input's type and quantisation"}};
constexpr PortSpec kOutputs[] = {{"output", "with the border"}};
constexpr OpExample kExamples[] = {{"One in front", R"(graph "padv2" {
  init x = float32[2] {1, 2}
  init p = int32[1, 2] {1, 0}
  init c = float32[] {7}
  y: float32[3] = tflite::PADV2(x, p, c)
  output y
})",
                                    "float32[3] {7, 1, 2}"}};

Status infer(InferContext& context) { return tflite_ops::infer_pad(context); }

Status reference(EvalContext& context) { return tflite_ops::run_pad(context, tflite_ops::Border::kConstant); }

}  // namespace

extern const OpSpec kOp_tflite_padv2;
const OpSpec kOp_tflite_padv2{.name = "PADV2",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "A border of one value. input [..., D, ...] -> output [..., before + D + after, ...].",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = {},
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
