// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/broadcast.h"
#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"condition", "bool"}, {"x", "where it is true"}, {"y", "where it is false, of the same type"}};
constexpr PortSpec kOutputs[] = {{"output", "as x"}};
constexpr OpExample kExamples[] = {{"Element by element", R"(graph "select" {
  init c = bool[2] {true, false}
  init a = float32[2] {1, 2}
  init b = float32[2] {3, 4}
  y: float32[2] = tflite::SELECT(c, a, b)
  output y
})",
                                    "float32[2] {1, 4}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, {DType::kBool}));
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_movable(context, 1, 2));
  context.set_output(0, {dtype, std::nullopt});
  const SymbolicShape* c = ops::shape_of(context, 0);
  const SymbolicShape* x = ops::shape_of(context, 1);
  const SymbolicShape* y = ops::shape_of(context, 2);
  if (c == nullptr || x == nullptr || y == nullptr) return {};
  MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 2), SymbolicShape both, ops::broadcast(*x, *y));
  if (c->size() == 1 && x->size() > 1) {
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 0, 0, (*x)[0], "as the rows of x"));
  } else {
    MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 0), both, ops::broadcast(*c, both));
  }
  context.set_output(0, {dtype, std::move(both)});
  return {};
}

Status reference(EvalContext& context) {
  Dims shape = context.input(0).dims();
  // A list stands for rows: its axis is the first, not the last.
  if (shape.size() == 1 && context.input(1).rank() > 1) shape.resize(context.input(1).rank(), 1);
  Tensor& out = context.outputs[0];
  const ops::ElementCopier from_x(context.input(1), out);
  const ops::ElementCopier from_y(context.input(2), out);
  const auto condition = context.input(0).data<bool>();
  ops::walk_broadcast<3>({shape, context.input(1).dims(), context.input(2).dims()}, out.dims(), [&](std::size_t i, const auto& at) {
    const bool first = condition[at[0]];
    (first ? from_x : from_y)(static_cast<std::int64_t>(i), static_cast<std::int64_t>(first ? at[1] : at[2]));
  });
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_select;
const OpSpec kOp_tflite_select{
    .name = "SELECT",
    .domain = "tflite",
    .since = 1,
    .doc =
        "x where the condition is true, else y. The condition has their shape, or is a scalar, or a list with an "
        "element a row.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
