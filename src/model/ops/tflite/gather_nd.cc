// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"params", "any shape"}, {"indices", "[..., n], int32 or int64"}};
constexpr PortSpec kOutputs[] = {{"output", "the indices' leading axes and the params' axes behind the first n"}};
constexpr OpExample kExamples[] = {{"One element", R"(graph "gather_nd" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init i = int32[1, 2] {1, 0}
  y: float32[1] = tflite::GATHER_ND(x, i)
  output y
})",
                                    "float32[1] {3}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kInt32, DType::kInt64}));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* indices = ops::shape_of(context, 1);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (indices != nullptr && indices->empty()) return ops::input_error(context, 1, "found a scalar, expected tuples of indices");
  if (x == nullptr || indices == nullptr || !indices->back().known()) return {};
  if (std::cmp_greater(indices->back().value, x->size()))
    return ops::input_error(context, 1, fmt::format("found tuples of {}, expected at most {}", indices->back().value, x->size()));
  SymbolicShape y(indices->begin(), indices->end() - 1);
  y.insert(y.end(), x->begin() + static_cast<std::ptrdiff_t>(indices->back().value), x->end());
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  const auto indices = ops::to_ints(context.input(1));
  const auto width = static_cast<std::size_t>(context.input(1).dims().back());
  const std::int64_t inner = ops::product_of(std::span(x.dims()).subspan(width));
  if (context.outputs[0].count() == 0) return {};
  const ops::ElementCopier copy(x, context.outputs[0], inner);
  const std::int64_t tuples = context.outputs[0].count() / inner;
  for (std::int64_t t = 0; t < tuples; ++t) {
    std::int64_t from = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const std::int64_t index = indices[static_cast<std::size_t>(t) * width + i];
      if (index < 0 || index >= x.dims()[i])
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("input 1 (indices): found {} for axis {}, expected 0 to {}", index, i, x.dims()[i] - 1));
      from = from * x.dims()[i] + index;
    }
    copy(t, from);
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_gather_nd;
const OpSpec kOp_tflite_gather_nd{.name = "GATHER_ND",
                                  .domain = "tflite",
                                  .since = 1,
                                  .doc = "Slices by tuples of indices: output[i...] = params[indices[i..., 0], indices[i..., 1], ...].",
                                  .inputs = kInputs,
                                  .outputs = kOutputs,
                                  .attributes = {},
                                  .infer = infer,
                                  .reference = reference,
                                  .examples = kExamples};

}  // namespace moru::model
