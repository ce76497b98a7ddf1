// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/pad.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"paddings", "[rank, 2]: before and after each axis, int32 or int64"}};
constexpr PortSpec kOutputs[] = {{"output", "with the border"}};
constexpr AttributeSpec kAttributes[] = {{"mode", AttributeKind::kString, "REFLECT (without the border) or SYMMETRIC (with it)"}};
constexpr OpExample kExamples[] = {{"Two in front", R"(graph "mirror_pad" {
  init x = float32[3] {1, 2, 3}
  init p = int32[1, 2] {2, 0}
  y: float32[5] = tflite::MIRROR_PAD(x, p) {mode = "REFLECT"}
  output y
})",
                                    "float32[5] {3, 2, 1, 2, 3}"}};

Status infer(InferContext& context) { return tflite_ops::infer_pad(context); }

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::string mode, string_attribute(context.node, "mode", "REFLECT"));
  return tflite_ops::run_pad(context, mode == "SYMMETRIC" ? tflite_ops::Border::kSymmetric : tflite_ops::Border::kReflect);
}

}  // namespace

extern const OpSpec kOp_tflite_mirror_pad;
const OpSpec kOp_tflite_mirror_pad{
    .name = "MIRROR_PAD",
    .domain = "tflite",
    .since = 1,
    .doc =
        "A border of the elements within, in reverse order: with mode REFLECT without the one at the border, with "
        "SYMMETRIC with it.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
