// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/quantization.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/rewrite.h"

namespace moru::model::ops {
namespace {

bool is_single(const SymbolicShape& shape) { return shape.empty() || shape == SymbolicShape{{1, {}}}; }

Result<std::int64_t> read_block_size(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t block, int_attribute(node, "block_size", 0));
  if (block >= 0 && block <= kMaxExtent) return block;
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'block_size': found {}, expected 0 or more", block));
}

/// The scale is as x, with a block for each block_size indices of axis.
Status expect_blocks(const InferContext& context, std::int64_t axis, std::int64_t block) {
  const SymbolicShape* x = shape_of(context, 0);
  if (x == nullptr) return {};
  MORU_RETURN_IF_ERROR(expect_rank(context, 1, x->size(), "as x, one a block"));
  MORU_ASSIGN_OR_RETURN(const std::size_t at, normalize_axis(axis, x->size()));
  for (std::size_t i = 0; i < x->size(); ++i) {
    Dim expected = (*x)[i];
    if (i == at) expected = expected.known() ? Dim{(expected.value + block - 1) / block, {}} : Dim{};
    MORU_RETURN_IF_ERROR(expect_extent(context, 1, i, expected, i == at ? "a scale a block" : "as x"));
  }
  return {};
}

}  // namespace

bool is_float8(DType dtype) {
  return dtype == DType::kFloat8E4M3FN || dtype == DType::kFloat8E4M3FNUZ || dtype == DType::kFloat8E5M2 || dtype == DType::kFloat8E5M2FNUZ;
}

Status infer_quantization(InferContext& context, std::optional<DType> output) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(context.node(), "axis", 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t block, read_block_size(context.node()));
  const SymbolicShape* x = shape_of(context, 0);
  const SymbolicShape* scale = shape_of(context, 1);
  const SymbolicShape* zero = shape_of(context, 2);
  if (scale != nullptr && !is_single(*scale)) {
    if (block > 0) {
      MORU_RETURN_IF_ERROR(expect_blocks(context, axis, block));
    } else {
      MORU_RETURN_IF_ERROR(expect_rank(context, 1, 1, "[extent of axis]"));
      if (x != nullptr) {
        MORU_ASSIGN_OR_RETURN(const std::size_t at, normalize_axis(axis, x->size()));
        MORU_RETURN_IF_ERROR(expect_extent(context, 1, 0, (*x)[at], "a scale an index of axis"));
      }
    }
  }
  if (scale != nullptr && zero != nullptr && is_single(*scale) != is_single(*zero)) {
    return input_error(context, 2, fmt::format("found {}, expected {} as the scale", to_string(*zero), to_string(*scale)));
  }
  if (scale != nullptr && zero != nullptr && !is_single(*zero)) {
    MORU_RETURN_IF_ERROR(expect_rank(context, 2, scale->size(), "as the scale"));
    for (std::size_t i = 0; i < scale->size(); ++i) MORU_RETURN_IF_ERROR(expect_extent(context, 2, i, (*scale)[i], "a zero point a scale"));
  }
  context.set_output(0, {output, context.input(0).shape});
  return {};
}

Result<ScaleLayout> scale_layout(const EvalContext& context) {
  const Tensor& scale = context.input(1);
  if (scale.count() == 1 && scale.rank() < 2) return ScaleLayout{};
  const Dims& dims = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node, "axis", 1));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, normalize_axis(given_axis, dims.size()));
  MORU_ASSIGN_OR_RETURN(const std::int64_t block, read_block_size(context.node));
  ScaleLayout layout{.inner = product_of(std::span(dims).subspan(axis + 1)), .extent = dims[axis], .block = block, .blocks = 0};
  if (block > 0) layout.blocks = scale.dims()[axis];
  return layout;
}

Result<Tensor> levels_as_int32(const Tensor& levels) {
  const bool packed = levels.dtype() == DType::kInt4 || levels.dtype() == DType::kUInt4;
  const Tensor whole = packed ? unpack_4bit(levels) : levels;
  if (whole.dtype() == DType::kInt32) return whole;
  MORU_ASSIGN_OR_RETURN(Tensor wide, Tensor::create(DType::kInt32, whole.dims()));
  MORU_RETURN_IF_ERROR((for_dtype<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t>(whole.dtype(), [&]<class T>() -> Status {
    std::ranges::copy(whole.data<T>(), wide.mutable_data<std::int32_t>().begin());
    return {};
  })));
  return wide;
}

Status downgrade_quantization(NodeRewrite& rewrite, std::optional<DType> levels) {
  if (rewrite.opset >= 21) return {};
  MORU_RETURN_IF_ERROR(drop_int(rewrite, "block_size", 0));
  if (!levels) return {};
  const bool old = *levels == DType::kInt8 || *levels == DType::kUInt8 || *levels == DType::kInt32;
  if (!old && (rewrite.opset < 19 || !is_float8(*levels))) return not_in_opset(rewrite, to_string(*levels));
  return {};
}

}  // namespace moru::model::ops
