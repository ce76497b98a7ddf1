// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any type and shape"}, {"shape", "int64 [rank]; it and input's shape stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"A column becomes a matrix", R"(graph "expand" {
  init x = float32[2, 1] {1, 2}
  init shape = int64[2] {1, 3}
  y = Expand(x, shape)
  output y
})",
                                    "float32[2, 3] {1, 1, 1, 2, 2, 2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  const SymbolicShape* x = ops::shape_of(context, 0);
  MORU_ASSIGN_OR_RETURN(const auto wanted, ops::constant_ints(context, 1));
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (wanted) MORU_RETURN_IF_ERROR(ops::check_extents(*wanted, ops::input_label(context, 1)));
  if (x == nullptr) return {};
  const auto length = ops::list_length(context, 1);
  if (!wanted && !length) return {};
  MORU_ASSIGN_OR_RETURN(auto y, ops::broadcast(*x, wanted ? ops::to_shape(*wanted) : SymbolicShape(*length)));
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  ops::copy_strided(x, 0, ops::broadcast_strides(x.dims(), y.dims()), y.dims(), y);
  return {};
}

}  // namespace

extern const OpSpec kOp_expand;
const OpSpec kOp_expand{
    .name = "Expand",
    .domain = "",
    .since = 8,
    .doc = "Repeats a tensor along axes of extent 1 until it has a shape. input [2, 1], shape [3, 1, 4] -> output [3, 2, 4].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
