// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/pool.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, H, W, C]"}};
constexpr PortSpec kOutputs[] = {{"output", "[N, H', W', C]"}};
constexpr AttributeSpec kAttributes[] = {
    {"padding", AttributeKind::kString, "SAME (as many places as the stride needs, zeros around) or VALID (no padding)"},
    {"stride_w", AttributeKind::kInt, "step along W"},
    {"stride_h", AttributeKind::kInt, "step along H"},
    {"filter_width", AttributeKind::kInt, "extent of the window along W"},
    {"filter_height", AttributeKind::kInt, "extent of the window along H"},
    {"fused_activation_function", AttributeKind::kString, "what follows: NONE, RELU, RELU6 or RELU_N1_TO_1"}};
constexpr OpExample kExamples[] = {{"One window", R"(graph "l2_pool_2d" {
  init x = float32[1, 2, 2, 1] {1, 1, 7, 7}
  y: float32[1, 1, 1, 1] = tflite::L2_POOL_2D(x) {padding = "VALID", filter_height = 2, filter_width = 2, stride_h = 2, stride_w = 2}
  output y
})",
                                    "float32[1, 1, 1, 1] {5}"}};

Status infer(InferContext& context) { return tflite_ops::infer_pool(context, tflite_ops::kFloat); }

Status reference(EvalContext& context) { return tflite_ops::run_pool(context, tflite_ops::PoolKind::kL2); }

}  // namespace

extern const OpSpec kOp_tflite_l2_pool_2d;
const OpSpec kOp_tflite_l2_pool_2d{
    .name = "L2_POOL_2D",
    .domain = "tflite",
    .since = 1,
    .doc =
        "The root of the mean square of each window, of the elements that are there. input [N, H, W, C] -> output "
        "[N, H', W', C].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
