// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/types.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"indices", "[..., n], int32"},
                                {"updates", "the indices' leading axes, then the shape's axes behind the first n"},
                                {"shape", "[rank], int32"}};
constexpr PortSpec kOutputs[] = {{"output", "of that shape"}};
constexpr OpExample kExamples[] = {{"Two updates", R"(graph "scatter_nd" {
  init i = int32[2, 1] {2, 0}
  init u = float32[2] {5, 7}
  init s = int32[1] {3}
  y: float32[3] = tflite::SCATTER_ND(i, u, s)
  output y
})",
                                    "float32[3] {7, 0, 5}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, {DType::kInt32, DType::kInt64}));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, tflite_ops::kNumber));
  MORU_ASSIGN_OR_RETURN(const auto extents, ops::constant_indices(context, 2));
  context.set_output(0, {context.input(1).dtype, std::nullopt});
  const SymbolicShape* indices = ops::shape_of(context, 0);
  const SymbolicShape* updates = ops::shape_of(context, 1);
  if (indices != nullptr && indices->empty()) return ops::input_error(context, 0, "found a scalar, expected tuples of indices");
  if (!extents) return {};
  MORU_RETURN_IF_ERROR_IN(ops::input_label(context, 2), ops::check_extents(*extents, "extents"));
  const SymbolicShape y = ops::to_shape(*extents);
  if (indices != nullptr && updates != nullptr && indices->back().known()) {
    const std::int64_t width = indices->back().value;
    if (std::cmp_greater(width, y.size()))
      return ops::input_error(context, 0, fmt::format("found tuples of {}, expected at most {}", width, y.size()));
    SymbolicShape expected(indices->begin(), indices->end() - 1);
    expected.insert(expected.end(), y.begin() + static_cast<std::ptrdiff_t>(width), y.end());
    MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, expected.size(), "as indices and shape ask for"));
    for (std::size_t axis = 0; axis < expected.size(); ++axis)
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, axis, expected[axis], "as indices and shape ask for"));
  }
  context.set_output(0, {context.input(1).dtype, y});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  const auto indices = ops::to_ints(context.input(0));
  const auto width = static_cast<std::size_t>(context.input(0).dims().back());
  const auto inner = static_cast<std::size_t>(ops::product_of(std::span(y.dims()).subspan(width)));
  const std::size_t tuples = inner == 0 ? 0 : static_cast<std::size_t>(context.input(1).count()) / inner;
  return ops::for_number_dtype(y.dtype(), [&]<class T>() -> Status {
    const auto updates = context.input(1).data<T>();
    const auto out = y.mutable_data<T>();
    for (std::size_t t = 0; t < tuples; ++t) {
      std::int64_t to = 0;
      for (std::size_t i = 0; i < width; ++i) {
        const std::int64_t index = indices[t * width + i];
        if (index < 0 || index >= y.dims()[i])
          return fail(ErrorCode::kInvalidArgument,
                      fmt::format("input 0 (indices): found {} for axis {}, expected 0 to {}", index, i, y.dims()[i] - 1));
        to = to * y.dims()[i] + index;
      }
      for (std::size_t k = 0; k < inner; ++k) {
        T& one = out[static_cast<std::size_t>(to) * inner + k];
        one = ops::narrow<T>(ops::wrap_add(ops::widen(one), ops::widen(updates[t * inner + k])));
      }
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_tflite_scatter_nd;
const OpSpec kOp_tflite_scatter_nd{
    .name = "SCATTER_ND",
    .domain = "tflite",
    .since = 1,
    .doc = "Updates added into zeros at tuples of indices: output[indices[i..., 0], ...] += updates[i..., ...].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
