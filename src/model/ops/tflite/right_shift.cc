// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input1", "any shape"}, {"input2", "of the same type; the shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "right_shift" {
  init a = int32[2] {5, -8}
  init b = int32[2] {1, 2}
  y: int32[2] = tflite::RIGHT_SHIFT(a, b)
  output y
})",
                                    "int32[2] {2, -2}"}};

Status infer(InferContext& context) {
  return tflite_ops::infer_broadcast(context, {DType::kInt8, DType::kUInt8, DType::kInt16, DType::kUInt16, DType::kInt32, DType::kUInt32});
}

Status reference(EvalContext& context) {
  return ops::for_integer_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    ops::zip<T, T, T>(context.input(0), context.input(1), context.outputs[0], [](T a, T b) {
      const auto most = static_cast<std::int64_t>(sizeof(T)) * 8 - 1;
      return static_cast<T>(static_cast<std::int64_t>(a) >> std::clamp<std::int64_t>(static_cast<std::int64_t>(b), 0, most));
    });
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_tflite_right_shift;
const OpSpec kOp_tflite_right_shift{
    .name = "RIGHT_SHIFT",
    .domain = "tflite",
    .since = 1,
    .doc =
        "The bits moved right, with copies of the sign of signed ones; any shape. Shifts are cut to the width of "
        "the type.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
