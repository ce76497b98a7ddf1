// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "runtime/engine/convolution.h"

namespace moru::runtime::engine {
namespace {

/// Bytes of gathered rows that stay in the first cache beside the weights.
constexpr std::size_t kPanelBytes = 24576;

/// What stays the same from run to run.
struct Layer {
  ConvGeometry it = {};
  ConvBuffers buffers = {};
  kernels::HybridProduct product = {};  ///< all but rows, step and c
  const kernels::HybridKernel* kernel = nullptr;
  void (*gather)(const kernels::Gather& call) = nullptr;
  BufferId levels = -1;  ///< of one image, padded
  BufferId panel = -1;   ///< gathered rows; none for a pointwise convolution
  BufferId pieces = -1;  ///< pointers to what an output reads

  /// Rows and columns that outputs read, and those of the image.
  int rows() const { return std::max((it.out_h - 1) * it.stride_h + (it.kernel_h - 1) * it.dilation_h + 1, it.pad_top + it.in_h); }
  int columns() const { return std::max((it.out_w - 1) * it.stride_w + (it.kernel_w - 1) * it.dilation_w + 1, it.pad_left + it.in_w); }
  std::ptrdiff_t level_bytes() const { return kernel->level_bytes; }
  std::ptrdiff_t column_bytes() const { return it.channels * level_bytes(); }
  std::ptrdiff_t row_bytes() const { return columns() * column_bytes(); }
  /// Of a gathered row: a multiple of the four bytes that kernels take at a time.
  std::ptrdiff_t gathered_bytes() const { return (product.k * level_bytes() + 3) / 4 * 4; }
  int rows_at_once() const {
    return std::clamp(static_cast<int>(kPanelBytes / static_cast<std::size_t>(it.out_w * gathered_bytes())), 1, it.out_h);
  }
  /// Taps that lie side by side are one piece.
  bool is_run() const { return it.dilation_w == 1; }
  int piece_count() const { return it.kernel_h * (is_run() ? 1 : it.kernel_w); }
};

class HybridConvStep final : public Step {
 public:
  explicit HybridConvStep(const Layer& layer) : layer_(layer) {}

  void run(const Frame& frame) const noexcept override {
    const ConvGeometry& it = layer_.it;
    const float* x = frame.at<const float>(layer_.buffers.x);
    const std::ptrdiff_t count = std::ptrdiff_t{it.in_h} * it.in_w * it.channels;
    kernels::HybridProduct product = layer_.product;
    product.c = frame.at<float>(layer_.buffers.y);
    for (int n = 0; n < it.batch; ++n, x += count) {
      constexpr float kLeast = 0x1p-120F;
      const float range = std::max(layer_.kernel->largest(x, static_cast<std::size_t>(count)), kLeast);
      product.step = range / 127.0F;
      to_levels(x, 127.0F / range, frame.at<std::byte>(layer_.levels));
      multiply(frame, product);
      product.c += std::ptrdiff_t{it.out_h} * it.out_w * it.outputs;
    }
  }

 private:
  void to_levels(const float* x, float inverse, std::byte* levels) const noexcept {
    const ConvGeometry& it = layer_.it;
    const std::ptrdiff_t row = std::ptrdiff_t{it.in_w} * it.channels;
    if (layer_.rows() == it.in_h && layer_.columns() == it.in_w) {
      layer_.kernel->quantize(x, levels, static_cast<std::size_t>(row * it.in_h), inverse);
      return;
    }
    std::fill_n(levels, layer_.rows() * layer_.row_bytes(), static_cast<std::byte>(layer_.kernel->zero));
    levels += it.pad_top * layer_.row_bytes() + it.pad_left * layer_.column_bytes();
    for (int y = 0; y < it.in_h; ++y, x += row, levels += layer_.row_bytes()) {
      layer_.kernel->quantize(x, levels, static_cast<std::size_t>(row), inverse);
    }
  }

  void multiply(const Frame& frame, kernels::HybridProduct product) const noexcept {
    const ConvGeometry& it = layer_.it;
    if (layer_.panel < 0) {
      product.m = it.out_h * it.out_w;
      product.a = frame.at<const std::byte>(layer_.levels);
      product.a_stride = it.channels;
      layer_.kernel->run(product);
      return;
    }
    product.a = frame.at<const std::byte>(layer_.panel);
    product.a_stride = layer_.gathered_bytes() / layer_.level_bytes();
    for (int y = 0; y < it.out_h; y += layer_.rows_at_once()) {
      const int rows = std::min(layer_.rows_at_once(), it.out_h - y);
      for (int i = 0; i < rows; ++i) gather(frame, y + i, i);
      product.m = rows * it.out_w;
      layer_.kernel->run(product);
      product.c += std::ptrdiff_t{product.m} * it.outputs;
    }
  }

  /// What output row `y` reads, as row `at` of the panel.
  void gather(const Frame& frame, int y, int at) const noexcept {
    const ConvGeometry& it = layer_.it;
    const std::byte* levels = frame.at<const std::byte>(layer_.levels) + y * it.stride_h * layer_.row_bytes();
    auto* pieces = frame.at<const std::byte*>(layer_.pieces);
    const int of_row = layer_.piece_count() / it.kernel_h;
    for (int i = 0; i < layer_.piece_count(); ++i) {
      pieces[i] = levels + i / of_row * it.dilation_h * layer_.row_bytes() + i % of_row * it.dilation_w * layer_.column_bytes();
    }
    layer_.gather({.lines = pieces,
                   .line_count = layer_.piece_count(),
                   .count = it.out_w,
                   .step = it.stride_w * layer_.column_bytes(),
                   .segment = it.kernel_w / of_row * layer_.column_bytes(),
                   .to = frame.at<std::byte>(layer_.panel) + std::ptrdiff_t{at} * it.out_w * layer_.gathered_bytes(),
                   .to_stride = layer_.gathered_bytes()});
  }

  Layer layer_;
};

Status add(Lowering& lowering, Layer layer) {
  layer.levels = lowering.scratch(static_cast<std::size_t>(layer.rows() * layer.row_bytes()));
  std::vector<BufferId> uses = {layer.buffers.x, layer.buffers.y, layer.levels};
  if (!layer.it.is_pointwise()) {
    layer.panel = lowering.scratch(static_cast<std::size_t>(layer.rows_at_once() * layer.it.out_w * layer.gathered_bytes()));
    layer.pieces = lowering.scratch(static_cast<std::size_t>(layer.piece_count()) * sizeof(std::byte*));
    uses.insert(uses.end(), {layer.panel, layer.pieces});
  }
  lowering.add(std::make_unique<HybridConvStep>(layer), uses);
  return {};
}

/// One number an output.
std::vector<float> spread(const model::Tensor* tensor, int outputs) {
  std::vector<float> values(static_cast<std::size_t>(outputs), 0.0F);
  for (std::size_t o = 0; o < values.size() && tensor != nullptr; ++o) values[o] = tensor->data<float>()[tensor->count() == 1 ? 0 : o];
  return values;
}

Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kX, kW, kScales, kB };
  MORU_ASSIGN_OR_RETURN(const model::Tensor* w, lowering.constant(node, kW));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* scales, lowering.constant(node, kScales));
  const model::Tensor* bias = nullptr;
  if (lowering.has_input(node, kB)) {
    MORU_ASSIGN_OR_RETURN(bias, lowering.constant(node, kB));
  }
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, kX, Layout::kChannelsLast));
  model::ValueId y = node.outputs.front();
  MORU_ASSIGN_OR_RETURN(const model::Dims y_dims, lowering.dims(y));
  Layer layer{.kernel = lowering.kernels().hybrid, .gather = lowering.kernels().gather->run};
  MORU_ASSIGN_OR_RETURN(layer.it, read_geometry(node, x.dims, w->dims(), y_dims));
  const int n = layer.it.outputs;
  const std::int64_t k = std::int64_t{layer.it.taps()} * layer.it.channels;
  if (layer.it.group != 1 || k > kernels::kMostOfHybridSum) {
    return fail(ErrorCode::kUnsupported, fmt::format("found {} groups and sums of {} products, expected one group and at most {}",
                                                     layer.it.group, k, kernels::kMostOfHybridSum));
  }
  layer.product.n = n;
  layer.product.k = static_cast<int>(k);
  MORU_ASSIGN_OR_RETURN(std::byte * packed, lowering.keep_bytes(layer.kernel->packed_bytes(n, layer.product.k)));
  layer.kernel->pack(rows_of_group(layer.it, w->data<std::int8_t>(), 0).data(), n, layer.product.k, packed);
  layer.product.weights = packed;
  MORU_ASSIGN_OR_RETURN(layer.product.scale, keep_channels<float>(lowering, spread(scales, n), 0, n));
  MORU_ASSIGN_OR_RETURN(layer.product.bias, keep_channels<float>(lowering, spread(bias, n), 0, n));
  const Bounds bounds = lowering.absorb_bounds(y);
  layer.product.low = bounds.low;
  layer.product.high = bounds.high;
  layer.product.c_stride = n;
  MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kChannelsLast));
  layer.buffers = {x.buffer, out.buffer};
  return add(lowering, layer);
}

}  // namespace

extern const LowerSpec kLower_moru_hybrid_conv;
const LowerSpec kLower_moru_hybrid_conv{.name = "HybridConv", .domain = "moru", .lower = lower};

}  // namespace moru::runtime::engine
