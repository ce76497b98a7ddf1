// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/indices.h"
#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/window.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, C * product of block_shape, number of blocks]"},
                                {"image_shape", "int64 [r], the spatial extents of the image"},
                                {"block_shape", "int64 [r], the extents of a block"}};
constexpr PortSpec kOutputs[] = {{"output", "[N, C, image_shape...]"}};
constexpr AttributeSpec kAttributes[] = {{"dilations", AttributeKind::kInts, "distance of a block's pixels, one a spatial axis; 1"},
                                         {"pads", AttributeKind::kInts, "padding before each spatial axis, then after each; 0"},
                                         {"strides", AttributeKind::kInts, "from block to block, one a spatial axis; 1"}};
constexpr OpExample kExamples[] = {{"Blocks that overlap are added", R"(graph "col2im" {
  init x = float32[1, 2, 2] {1, 2, 10, 20}
  init image = int64[2] {1, 3}
  init block = int64[2] {1, 2}
  y = Col2Im(x, image, block)
  output y
})",
                                    "float32[1, 1, 1, 3] {1, 12, 20}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kReals));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 3, "[N, C * block, blocks]"));
  MORU_ASSIGN_OR_RETURN(const auto image, ops::constant_ints(context, 1));
  MORU_ASSIGN_OR_RETURN(const auto block, ops::constant_ints(context, 2));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const auto length = ops::list_length(context, 1);
  std::optional<SymbolicShape> y;
  if (length) y = SymbolicShape(*length + 2);
  if (y && x != nullptr) (*y)[0] = (*x)[0];
  if (y && image) {
    MORU_RETURN_IF_ERROR(ops::check_extents(*image, ops::input_label(context, 1)));
    for (std::size_t i = 0; i < image->size(); ++i) (*y)[i + 2].value = (*image)[i];
  }
  if (y && image && block) {
    if (block->size() != image->size()) {
      return ops::input_error(context, 2, fmt::format("found {} numbers, expected {} as image_shape", block->size(), image->size()));
    }
    MORU_ASSIGN_OR_RETURN(const ops::Window window, ops::read_window(context.node(), *block));
    MORU_ASSIGN_OR_RETURN(const auto blocks, ops::output_extents(window, std::span(*y).subspan(2)));
    MORU_ASSIGN_OR_RETURN(const Dim count, ops::product(blocks));
    MORU_ASSIGN_OR_RETURN(const Dim pixels, ops::product(ops::to_shape(*block)));
    if (x != nullptr) {
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, 0, 2, count, "the number of blocks"));
      if ((*x)[1].known() && (*x)[1].value % pixels.value != 0) {
        return ops::input_error(context, 0, fmt::format("found {} in axis 1, expected a multiple of {}", (*x)[1].value, pixels.value));
      }
      if ((*x)[1].known()) (*y)[1].value = (*x)[1].value / pixels.value;
    }
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const auto image = std::span(y.dims()).subspan(2);
  const auto block = context.input(2).data<std::int64_t>();
  MORU_ASSIGN_OR_RETURN(const ops::Window window, ops::read_window(context.node, block));
  std::vector<std::int64_t> blocks;
  for (std::size_t axis = 0; axis < image.size(); ++axis) {
    const std::int64_t room = image[axis] + window.pads_begin[axis] + window.pads_end[axis] - window.reach(axis);
    blocks.push_back(room / window.strides[axis] + 1);
  }
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(context.input(0)));
  const double* from = x.data<double>().data();
  const auto strides = ops::strides_of(image);
  const std::int64_t plane = ops::product_of(image);
  MORU_ASSIGN_OR_RETURN(Tensor buffer, Tensor::create(DType::kFloat64, y.dims()));
  const auto sums = buffer.mutable_data<double>();
  for (std::int64_t channel = 0; channel < y.dims()[0] * y.dims()[1]; ++channel) {
    std::vector<std::int64_t> tap(block.size(), 0);
    do {
      std::vector<std::int64_t> at(block.size(), 0);
      do {
        std::int64_t offset = 0;
        bool inside = true;
        for (std::size_t axis = 0; axis < at.size(); ++axis) {
          const std::int64_t place = at[axis] * window.strides[axis] - window.pads_begin[axis] + tap[axis] * window.dilations[axis];
          inside = inside && place >= 0 && place < image[axis];
          offset += place * strides[axis];
        }
        if (inside) sums[static_cast<std::size_t>(channel * plane + offset)] += *from;
        ++from;
      } while (ops::next_index(at, blocks));
    } while (ops::next_index(tap, block));
  }
  return ops::round_into(sums, y);
}

}  // namespace

extern const OpSpec kOp_col2im;
const OpSpec kOp_col2im{
    .name = "Col2Im",
    .domain = "",
    .since = 18,
    .doc =
        "Puts blocks back to where they were cut out of an image, and adds up where they overlap: output[n, c, p * stride - pad + "
        "k * dilation] += input[n, (c, k), p] for each block p and place k in it.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
