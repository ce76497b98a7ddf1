// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/quantization.h"

#include <fmt/format.h>

namespace moru::model::ops {
namespace {

bool is_single(const SymbolicShape& shape) { return shape.empty() || shape == SymbolicShape{{1, {}}}; }

}  // namespace

Status infer_quantization(InferContext& context, std::optional<DType> output) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, 1, kFloatOnly));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node(), "axis", 1));
  const SymbolicShape* x = shape_of(context, 0);
  const SymbolicShape* scale = shape_of(context, 1);
  const SymbolicShape* zero = shape_of(context, 2);
  if (scale != nullptr && !is_single(*scale)) {
    MORU_RETURN_IF_ERROR(expect_rank(context, 1, 1, "[extent of axis]"));
    if (x != nullptr) {
      MORU_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(given_axis, x->size()));
      MORU_RETURN_IF_ERROR(expect_extent(context, 1, 0, (*x)[axis], "a scale an index of axis"));
    }
  }
  if (scale != nullptr && zero != nullptr && is_single(*scale) != is_single(*zero)) {
    return input_error(context, 2, fmt::format("found {}, expected {} as the scale", to_string(*zero), to_string(*scale)));
  }
  if (scale != nullptr && zero != nullptr && !is_single(*zero)) {
    MORU_RETURN_IF_ERROR(expect_rank(context, 2, 1, "[extent of axis]"));
    MORU_RETURN_IF_ERROR(expect_extent(context, 2, 0, (*scale)[0], "a zero point a scale"));
  }
  context.set_output(0, {output, context.input(0).shape});
  return {};
}

Result<ScaleLayout> scale_layout(const EvalContext& context) {
  const std::int64_t scales = context.input(1).count();
  if (scales == 1) return ScaleLayout{};
  const Dims& dims = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node, "axis", 1));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(given_axis, dims.size()));
  return ScaleLayout{scales, product_of(std::span(dims).subspan(axis + 1))};
}

}  // namespace moru::model::ops
