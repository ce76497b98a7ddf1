// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, spatial..., rest...]"}, {"block_shape", "[n], int32"}, {"paddings", "[n, 2], int32"}};
constexpr PortSpec kOutputs[] = {{"output", "[N', spatial'..., rest...]"}};
constexpr OpExample kExamples[] = {{"Two batches", R"(graph "space_to_batch_nd" {
  init x = float32[1, 4, 1] {1, 2, 3, 4}
  init b = int32[1] {2}
  init p = int32[1, 2] {0, 0}
  y: float32[2, 2, 1] = tflite::SPACE_TO_BATCH_ND(x, b, p)
  output y
})",
                                    "float32[2, 2, 1] {1, 3, 2, 4}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, {DType::kInt32, DType::kInt64}));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 2, "[n, 2]"));
  MORU_ASSIGN_OR_RETURN(const auto block, ops::constant_indices(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  SymbolicShape y(x->size());
  if (block && context.constant(2) != nullptr) {
    const auto border = ops::to_ints(*context.constant(2));
    if (block->size() + 1 > x->size() || border.size() != 2 * block->size())
      return ops::input_error(context, 1,
                              fmt::format("found {} blocks, expected fewer than {} and 2 numbers each", block->size(), x->size()));
    y = *x;
    Dim blocks{1, {}};
    for (std::size_t i = 0; i < block->size(); ++i) {
      const std::int64_t size = (*block)[i];
      const std::int64_t before = border[2 * i];
      const std::int64_t after = border[2 * i + 1];
      constexpr std::int64_t kMost = std::int64_t{1} << 20U;
      if (size < 1 || size > kMost || before < 0 || after < 0 || before > kMost || after > kMost)
        return ops::input_error(context, 1,
                                fmt::format("found block {} with {} and {}, expected 1 or more with 0 or more", size, before, after));
      MORU_ASSIGN_OR_RETURN(blocks, ops::product(std::array{blocks, Dim{size, {}}}));
      y[i + 1] = Dim{};
      if (!(*x)[i + 1].known()) continue;
      const std::int64_t extent = (*x)[i + 1].value + before + after;
      if (extent % size != 0)
        return ops::input_error(context, 0, fmt::format("found extent {} with its padding, expected a multiple of {}", extent, size));
      y[i + 1] = Dim{extent / size, {}};
    }
    if (y[0].known()) {
      MORU_ASSIGN_OR_RETURN(y[0], ops::product(std::array{y[0], blocks}));
    }
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  const auto block = ops::to_ints(context.input(1));
  const auto paddings = ops::to_ints(context.input(2));
  if (tflite_ops::is_quantized(context.output_types, 0)) {
    MORU_ASSIGN_OR_RETURN(const tflite_ops::Scale out, tflite_ops::output_scale(context));
    if (y.dtype() == DType::kInt8) std::ranges::fill(y.mutable_data<std::int8_t>(), static_cast<std::int8_t>(out.zero_point));
    if (y.dtype() == DType::kUInt8) std::ranges::fill(y.mutable_data<std::uint8_t>(), static_cast<std::uint8_t>(out.zero_point));
  }
  if (x.count() == 0) return {};
  const auto strides = ops::strides_of(x.dims());
  ops::gather_elements(x, y, [&](std::span<const std::int64_t> index) {
    std::int64_t offset = index[0] / x.dims()[0];
    std::int64_t from = index[0] % x.dims()[0] * strides[0];
    for (std::size_t axis = x.rank(); axis-- > 1;) {
      std::int64_t at = index[axis];
      if (axis <= block.size()) {
        at = at * block[axis - 1] + offset % block[axis - 1] - paddings[2 * (axis - 1)];
        offset /= block[axis - 1];
      }
      if (at < 0 || at >= x.dims()[axis]) return std::int64_t{-1};
      from += at * strides[axis];
    }
    return from;
  });
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_space_to_batch_nd;
const OpSpec kOp_tflite_space_to_batch_nd{
    .name = "SPACE_TO_BATCH_ND",
    .domain = "tflite",
    .since = 1,
    .doc = "Blocks of spatial elements, after padding with zeros (of integers: with the zero point), become batches.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
