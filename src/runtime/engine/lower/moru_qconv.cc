// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "runtime/engine/convolution.h"

namespace moru::runtime::engine {
namespace {

Status lower_depthwise(Lowering& lowering, const ConvGeometry& geometry, const ConvBuffers& buffers, const model::Tensor& w,
                       const LevelArithmetic& arithmetic) {
  kernels::DepthwiseU8 call;
  const auto rows = depthwise_rows<std::int8_t>(geometry, signed_weights(w));
  std::vector<std::int64_t> sums(arithmetic.bias.size(), 0);
  std::vector<std::int64_t> magnitudes(arithmetic.bias.size(), 0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t channel = i % sums.size();
    const std::int64_t weight = rows[i] - arithmetic.w_zero[channel];
    sums[channel] += weight;
    magnitudes[channel] += std::abs(weight);
  }
  MORU_ASSIGN_OR_RETURN(const auto bias, folded_bias(arithmetic, sums, magnitudes));
  const kernels::DepthwiseU8Kernel& kernel = *kernels_for_sums(lowering, arithmetic, magnitudes).depthwise_u8;
  MORU_ASSIGN_OR_RETURN(std::byte * packed,
                        lowering.keep_bytes(kernel.packed_bytes(geometry.kernel_h, geometry.kernel_w, geometry.channels)));
  kernel.pack(rows.data(), geometry.kernel_h, geometry.kernel_w, geometry.channels, packed);
  call.weights = packed;
  MORU_ASSIGN_OR_RETURN(call.bias, keep_channels<std::int32_t>(lowering, bias, 0, geometry.channels));
  if (arithmetic.has_w_zero()) {
    MORU_ASSIGN_OR_RETURN(call.w_zero, keep_channels<std::int32_t>(lowering, arithmetic.w_zero, 0, geometry.channels));
  }
  call.to = arithmetic.to;
  MORU_ASSIGN_OR_RETURN(call.to.factor, keep_channels<float>(lowering, arithmetic.factor, 0, geometry.channels));
  return add_depthwise(lowering, geometry, buffers, kernel, call, static_cast<std::uint8_t>(arithmetic.x_zero));
}

Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kX = 0, kW = 2 };
  MORU_ASSIGN_OR_RETURN(const model::Tensor* w, lowering.constant(node, kW));
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, kX, Layout::kChannelsLast));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kChannelsLast));
  MORU_ASSIGN_OR_RETURN(const ConvGeometry geometry, read_geometry(node, x.dims, w->dims(), y.dims));
  MORU_ASSIGN_OR_RETURN(const LevelArithmetic arithmetic, read_arithmetic(lowering, node, geometry.outputs, w->dtype()));
  const ConvBuffers buffers{x.buffer, y.buffer};
  if (geometry.is_depthwise()) return lower_depthwise(lowering, geometry, buffers, *w, arithmetic);
  const std::vector<std::int8_t> weights = signed_weights(*w);
  const MatrixShape shape = matrix_shape(geometry, 1);
  std::vector<MatrixU8> matrices;
  for (int g = 0; g < geometry.group; ++g) {
    const auto rows = rows_of_group<std::int8_t>(geometry, weights, g);
    MORU_ASSIGN_OR_RETURN(const auto matrix, make_matrix(lowering, rows, shape, arithmetic, g * geometry.group_outputs()));
    matrices.push_back(matrix);
  }
  return add_convolution(lowering, geometry, buffers, std::move(matrices), static_cast<std::uint8_t>(arithmetic.x_zero));
}

}  // namespace

extern const LowerSpec kLower_moru_qconv;
const LowerSpec kLower_moru_qconv{.name = "QConv", .domain = "moru", .lower = lower};

}  // namespace moru::runtime::engine
