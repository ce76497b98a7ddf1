// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/resize.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, H, W, C]"}, {"size", "H' and W', int32"}};
constexpr PortSpec kOutputs[] = {{"output", "[N, H', W', C]"}};
constexpr AttributeSpec kAttributes[] = {{"align_corners", AttributeKind::kInt, "1: first and last elements meet"},
                                         {"half_pixel_centers", AttributeKind::kInt, "1: elements have a width"}};
constexpr OpExample kExamples[] = {{"Twice as wide", R"(graph "resize_bilinear" {
  init x = float32[1, 1, 2, 1] {1, 3}
  init size = int32[2] {1, 4}
  y: float32[1, 1, 4, 1] = tflite::RESIZE_BILINEAR(x, size)
  output y
})",
                                    "float32[1, 1, 4, 1] {1, 2, 3, 3}"}};

Status infer(InferContext& context) { return tflite_ops::infer_resize(context); }

Status reference(EvalContext& context) { return tflite_ops::run_resize(context, tflite_ops::Interpolation::kBilinear); }

}  // namespace

extern const OpSpec kOp_tflite_resize_bilinear;
const OpSpec kOp_tflite_resize_bilinear{
    .name = "RESIZE_BILINEAR",
    .domain = "tflite",
    .since = 1,
    .doc =
        "Images of another size. input [N, H, W, C], size [2] -> output [N, H', W', C]: each output element is "
        "between the four nearest inputs; 8- and 16-bit signed integers in fixed point of 10 bits.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
