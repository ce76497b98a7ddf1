// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"shape", "[n], int32 or int64"}};
constexpr PortSpec kOutputs[] = {{"output", "of that shape"}};
constexpr OpExample kExamples[] = {{"Two rows", R"(graph "broadcast_to" {
  init x = float32[2] {1, 2}
  init s = int32[2] {2, 2}
  y: float32[2, 2] = tflite::BROADCAST_TO(x, s)
  output y
})",
                                    "float32[2, 2] {1, 2, 1, 2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const auto extents, ops::constant_indices(context, 1));
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (!extents) return {};
  MORU_RETURN_IF_ERROR_IN(ops::input_label(context, 1), ops::check_extents(*extents, "extents"));
  const SymbolicShape y = ops::to_shape(*extents);
  if (const SymbolicShape* x = ops::shape_of(context, 0)) {
    MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 1), const SymbolicShape both, ops::broadcast(*x, y));
    if (both.size() != y.size()) return ops::input_error(context, 1, "found a smaller rank than the input's, expected no smaller one");
    for (std::size_t axis = 0; axis < y.size(); ++axis) {
      if (both[axis].known() && both[axis] != y[axis])
        return ops::input_error(context, 1, "found another extent, expected that of the input or any beside 1");
    }
  }
  context.set_output(0, {context.input(0).dtype, y});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  ops::copy_strided(x, 0, ops::broadcast_strides(x.dims(), y.dims()), y.dims(), y);
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_broadcast_to;
const OpSpec kOp_tflite_broadcast_to{.name = "BROADCAST_TO",
                                     .domain = "tflite",
                                     .since = 1,
                                     .doc = "The input stretched to a shape.",
                                     .inputs = kInputs,
                                     .outputs = kOutputs,
                                     .attributes = {},
                                     .infer = infer,
                                     .reference = reference,
                                     .examples = kExamples};

}  // namespace moru::model
