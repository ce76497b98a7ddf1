// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"axis", "int32 or int64, one element"}};
constexpr PortSpec kOutputs[] = {{"output", "with the axis"}};
constexpr OpExample kExamples[] = {{"A row of its own", R"(graph "expand_dims" {
  init x = float32[2] {1, 2}
  init a = int32[] {0}
  y: float32[1, 2] = tflite::EXPAND_DIMS(x, a)
  output y
})",
                                    "float32[1, 2] {1, 2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const auto given, ops::constant_index(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr || !given) return {};
  MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 1), const std::size_t axis, ops::normalize_axis(*given, x->size() + 1));
  SymbolicShape y = *x;
  y.insert(y.begin() + static_cast<std::ptrdiff_t>(axis), Dim{1, {}});
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  std::ranges::copy(context.input(0).bytes(), context.outputs[0].mutable_bytes().begin());
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_expand_dims;
const OpSpec kOp_tflite_expand_dims{.name = "EXPAND_DIMS",
                                    .domain = "tflite",
                                    .since = 1,
                                    .doc = "The same elements with a new axis of extent 1 before the axis given; -1 is behind the last.",
                                    .inputs = kInputs,
                                    .outputs = kOutputs,
                                    .attributes = {},
                                    .infer = infer,
                                    .reference = reference,
                                    .examples = kExamples};

}  // namespace moru::model
