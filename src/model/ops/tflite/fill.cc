// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"dims", "[n], int32 or int64"}, {"value", "a scalar"}};
constexpr PortSpec kOutputs[] = {{"output", "of that shape, of the value's type"}};
constexpr OpExample kExamples[] = {{"Two", R"(graph "fill" {
  init d = int32[1] {2}
  init v = float32[] {7}
  y: float32[2] = tflite::FILL(d, v)
  output y
})",
                                    "float32[2] {7, 7}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 1));
  MORU_RETURN_IF_ERROR(ops::expect_single_element(context, 1));
  MORU_ASSIGN_OR_RETURN(const auto extents, ops::constant_indices(context, 0));
  context.set_output(0, {context.input(1).dtype, std::nullopt});
  if (!extents) return {};
  MORU_RETURN_IF_ERROR_IN(ops::input_label(context, 0), ops::check_extents(*extents, "extents"));
  context.set_output(0, {context.input(1).dtype, ops::to_shape(*extents)});
  return {};
}

Status reference(EvalContext& context) {
  ops::fill(context.input(1), context.outputs[0]);
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_fill;
const OpSpec kOp_tflite_fill{.name = "FILL",
                             .domain = "tflite",
                             .since = 1,
                             .doc = "One value in a shape.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = {},
                             .infer = infer,
                             .reference = reference,
                             .examples = kExamples};

}  // namespace moru::model
