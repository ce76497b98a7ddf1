// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"axis", "[1], int32"}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr OpExample kExamples[] = {{"Backwards", R"(graph "reverse_v2" {
  init x = float32[3] {1, 2, 3}
  init a = int32[1] {0}
  y: float32[3] = tflite::REVERSE_V2(x, a)
  output y
})",
                                    "float32[3] {3, 2, 1}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const auto axis, ops::constant_index(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (axis && x != nullptr) MORU_RETURN_IF_ERROR_IN(ops::input_label(context, 1), ops::normalize_axis(*axis, x->size()));
  context.set_output(0, {context.input(0).dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  if (x.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(ops::to_ints(context.input(1)).at(0), x.rank()));
  auto strides = ops::strides_of(x.dims());
  const std::int64_t start = (x.dims()[axis] - 1) * strides[axis];
  strides[axis] = -strides[axis];
  ops::copy_strided(x, start, strides, x.dims(), context.outputs[0]);
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_reverse_v2;
const OpSpec kOp_tflite_reverse_v2{.name = "REVERSE_V2",
                                   .domain = "tflite",
                                   .since = 1,
                                   .doc = "The elements in reverse order along one axis.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attributes = {},
                                   .infer = infer,
                                   .reference = reference,
                                   .examples = kExamples};

}  // namespace moru::model
