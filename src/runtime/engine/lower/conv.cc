// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/engine/convolution.h"

namespace moru::runtime::engine {
namespace {

/// Rows of one number a channel, each padded by beginning anew.
std::vector<float> repeated(const ConvGeometry& geometry, std::span<const float> rows) {
  const auto channels = static_cast<std::size_t>(geometry.channels);
  const auto width = static_cast<std::size_t>(kernels::padded(geometry.channels));
  std::vector<float> padded;
  for (std::size_t row = 0; row < rows.size(); row += channels) {
    for (std::size_t i = 0; i < width; ++i) padded.push_back(rows[row + i % channels]);
  }
  return padded;
}

Status lower_depthwise(Lowering& lowering, const ConvGeometry& geometry, const Stored& x, model::ValueId y, std::span<const float> w,
                       std::span<const float> bias) {
  kernels::DepthwiseF32 call;
  MORU_ASSIGN_OR_RETURN(call.weights, lowering.keep(repeated(geometry, depthwise_rows(geometry, w))));
  MORU_ASSIGN_OR_RETURN(call.bias, lowering.keep(repeated(geometry, bias)));
  const Bounds bounds = lowering.absorb_bounds(y);
  call.low = bounds.low;
  call.high = bounds.high;
  MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kChannelsLast));
  return add_depthwise(lowering, geometry, {x.buffer, out.buffer}, call);
}

/// One number an output: input B, or none, and what a constant added behind the convolution says.
Result<std::vector<float>> bias_of(Lowering& lowering, const model::Node& node, model::ValueId& y, std::size_t outputs) {
  constexpr std::size_t kB = 2;
  std::vector<float> bias(outputs, 0.0F);
  if (lowering.has_input(node, kB)) {
    MORU_ASSIGN_OR_RETURN(const model::Tensor* b, lowering.constant(node, kB));
    std::ranges::copy(b->data<float>(), bias.begin());
  }
  const std::vector<float> more = lowering.absorb_bias(y, 1);
  for (std::size_t o = 0; o < more.size(); ++o) bias[o] += more[o];
  return bias;
}

Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kX, kW };
  MORU_ASSIGN_OR_RETURN(const model::Tensor* w, lowering.constant(node, kW));
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, kX, Layout::kChannelsLast));
  if (!x.is_float() || w->dtype() != model::DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected float32");
  model::ValueId y = node.outputs.front();
  MORU_ASSIGN_OR_RETURN(const model::Dims y_dims, lowering.dims(y));
  MORU_ASSIGN_OR_RETURN(const ConvGeometry geometry, read_geometry(node, x.dims, w->dims(), y_dims));
  MORU_ASSIGN_OR_RETURN(const auto bias, bias_of(lowering, node, y, static_cast<std::size_t>(geometry.outputs)));
  if (geometry.is_depthwise()) return lower_depthwise(lowering, geometry, x, y, w->data<float>(), bias);
  MORU_ASSIGN_OR_RETURN(const auto residual, lowering.absorb_residual(y, Layout::kChannelsLast));
  const Bounds bounds = lowering.absorb_bounds(y);
  if (suits_winograd(geometry)) {
    MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kChannelsLast));
    return add_winograd(lowering, geometry, {x.buffer, out.buffer, residual ? residual->buffer : -1}, w->data<float>(), bias, bounds);
  }
  const MatrixShape shape = matrix_shape(geometry, sizeof(float));
  std::vector<MatrixF32> matrices;
  for (int g = 0; g < geometry.group; ++g) {
    const auto rows = rows_of_group(geometry, w->data<float>(), g);
    const auto outputs = static_cast<std::size_t>(geometry.group_outputs());
    const auto group_bias = std::span(bias).subspan(static_cast<std::size_t>(g) * outputs, outputs);
    MORU_ASSIGN_OR_RETURN(auto matrix, make_matrix(lowering, rows, shape, group_bias, bounds));
    matrices.push_back(matrix);
  }
  MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kChannelsLast));
  return add_convolution(lowering, geometry, {x.buffer, out.buffer, residual ? residual->buffer : -1}, std::move(matrices), 0.0F);
}

}  // namespace

extern const LowerSpec kLower_conv;
const LowerSpec kLower_conv{.name = "Conv", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
