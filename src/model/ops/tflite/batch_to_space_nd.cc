// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, spatial..., rest...]"}, {"block_shape", "[n], int32"}, {"crops", "[n, 2], int32"}};
constexpr PortSpec kOutputs[] = {{"output", "[N', spatial'..., rest...]"}};
constexpr OpExample kExamples[] = {{"One batch", R"(graph "batch_to_space_nd" {
  init x = float32[2, 2, 1] {1, 3, 2, 4}
  init b = int32[1] {2}
  init c = int32[1, 2] {0, 0}
  y: float32[1, 4, 1] = tflite::BATCH_TO_SPACE_ND(x, b, c)
  output y
})",
                                    "float32[1, 4, 1] {1, 2, 3, 4}"}};

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
      const std::int64_t extent = (*x)[i + 1].value * size - before - after;
      if (extent < 0) return ops::input_error(context, 2, fmt::format("found {} and {}, expected no more than there is", before, after));
      y[i + 1] = Dim{extent, {}};
    }
    if (y[0].known()) {
      if (y[0].value % blocks.value != 0)
        return ops::input_error(context, 0, fmt::format("found {} batches, expected a multiple of {}", y[0].value, blocks.value));
      y[0] = Dim{y[0].value / blocks.value, {}};
    }
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  const auto block = ops::to_ints(context.input(1));
  const auto crops = ops::to_ints(context.input(2));
  const auto strides = ops::strides_of(x.dims());
  ops::gather_elements(x, y, [&](std::span<const std::int64_t> index) {
    std::int64_t batch = 0;
    std::int64_t from = 0;
    for (std::size_t axis = 1; axis < x.rank(); ++axis) {
      std::int64_t at = index[axis];
      if (axis <= block.size()) {
        at += crops[2 * (axis - 1)];
        batch = batch * block[axis - 1] + at % block[axis - 1];
        at /= block[axis - 1];
      }
      from += at * strides[axis];
    }
    return from + (batch * y.dims()[0] + index[0]) * strides[0];
  });
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_batch_to_space_nd;
const OpSpec kOp_tflite_batch_to_space_nd{.name = "BATCH_TO_SPACE_ND",
                                          .domain = "tflite",
                                          .since = 1,
                                          .doc = "Batches become blocks of spatial elements, of which crops are cut off.",
                                          .inputs = kInputs,
                                          .outputs = kOutputs,
                                          .attributes = {},
                                          .infer = infer,
                                          .reference = reference,
                                          .examples = kExamples};

}  // namespace moru::model
