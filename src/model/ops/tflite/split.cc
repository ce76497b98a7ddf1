// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"axis", "int32, one element"}, {"input", "any shape"}};
constexpr PortSpec kOutputs[] = {{"outputs", "the pieces"}};
constexpr AttributeSpec kAttributes[] = {{"num_splits", AttributeKind::kInt, "how many outputs"}};
constexpr OpExample kExamples[] = {{"Halves", R"(graph "split" {
  init a = int32[] {0}
  init x = float32[2] {1, 2}
  y: float32[1], z: float32[1] = tflite::SPLIT(a, x) {num_splits = 2}
  output y
  output z
})",
                                    "float32[1] {1}\nfloat32[1] {2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 1));
  MORU_ASSIGN_OR_RETURN(const auto given, ops::constant_index(context, 0));
  const SymbolicShape* x = ops::shape_of(context, 1);
  const auto count = static_cast<std::int64_t>(context.node().outputs.size());
  for (std::size_t i = 0; i < context.node().outputs.size(); ++i) context.set_output(i, {context.input(1).dtype, std::nullopt});
  if (x == nullptr || !given) return {};
  MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 0), const std::size_t axis, ops::normalize_axis(*given, x->size()));
  SymbolicShape y = *x;
  if (y[axis].known() && y[axis].value % count != 0)
    return ops::input_error(context, 1, fmt::format("found extent {}, expected a multiple of {}", y[axis].value, count));
  y[axis] = y[axis].known() ? Dim{y[axis].value / count, {}} : Dim{};
  for (std::size_t i = 0; i < context.node().outputs.size(); ++i) context.set_output(i, {context.input(1).dtype, y});
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(ops::to_ints(context.input(0)).at(0), context.input(1).rank()));
  const Tensor& x = context.input(1);
  const auto strides = ops::strides_of(x.dims());
  std::int64_t start = 0;
  for (Tensor& y : context.outputs) {
    ops::copy_strided(x, start * strides[axis], strides, y.dims(), y);
    start += y.dims()[axis];
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_split;
const OpSpec kOp_tflite_split{.name = "SPLIT",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "Equal pieces along one axis. input [..., A, ...] -> num_splits outputs [..., A / num_splits, ...].",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = kAttributes,
                              .variadic_outputs = true,
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
