// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/quantized.h"

#include <fmt/format.h>

#include "model/ops/support/shape.h"

namespace moru::model::ops {

Result<Levels> read_levels(const Node& node, DType dtype, std::int32_t zero) {
  const std::int64_t least = dtype == DType::kInt8 ? -128 : 0;
  MORU_ASSIGN_OR_RETURN(const std::int64_t low, int_attribute(node, "low", least));
  MORU_ASSIGN_OR_RETURN(const std::int64_t high, int_attribute(node, "high", least + 255));
  if (low < least || high > least + 255 || low > high) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("attributes 'low' and 'high': found {} and {}, expected levels from {} to {}", low, high, least, least + 255));
  }
  return Levels{zero, static_cast<std::int32_t>(low), static_cast<std::int32_t>(high)};
}

Result<Levels> levels_of(const EvalContext& context, std::size_t zero) {
  return read_levels(context.node, context.input(zero).dtype(), zero_point_of(&context.input(zero)));
}

Status expect_levels(const InferContext& context, std::size_t x, std::size_t zero) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, x, kBytes));
  MORU_RETURN_IF_ERROR(expect_same_dtype(context, zero, x));
  return expect_single(context, zero);
}

Status expect_factor(const InferContext& context, std::size_t index) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, index, kFloatOnly));
  return expect_single(context, index);
}

Status set_levels_output(InferContext& context, std::size_t zero, std::optional<SymbolicShape> shape) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, zero, kBytes));
  MORU_RETURN_IF_ERROR(expect_single(context, zero));
  const auto dtype = context.input(zero).dtype;
  if (dtype) MORU_RETURN_IF_ERROR(read_levels(context.node(), *dtype, 0));
  context.set_output(0, {dtype, std::move(shape)});
  return {};
}

}  // namespace moru::model::ops
