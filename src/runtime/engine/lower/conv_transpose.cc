// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "model/ops/support/convolution.h"
#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {
namespace {

/// One spatial axis counts as two, of which the first has one row.
struct Axis {
  int in = 1;
  int out = 1;
  int kernel = 1;
  int stride = 1;
  int dilation = 1;
  int pad = 0;
};
struct Geometry {
  int batch = 0;
  int channels = 0;  ///< of a group
  int outputs = 0;   ///< of a group
  int group = 1;
  Axis y = {};
  Axis x = {};
  int taps() const { return y.kernel * x.kernel; }
};

/// Each input stamps its kernel into the output: a row of inputs by all taps of all outputs is one product, whose parts are added to where
/// they belong. Channels last.
class ConvTransposeStep final : public Step {
 public:
  struct Buffers {
    BufferId x;
    BufferId y;
    BufferId stamps;  ///< [in_w, taps, outputs of a group]
  };
  ConvTransposeStep(const Geometry& geometry, const Buffers& buffers, std::vector<MatrixF32> matrices, const float* bias, Bounds bounds,
                    const kernels::Kernels& kernels)
      : it_(geometry),
        buffers_(buffers),
        matrices_(std::move(matrices)),
        bias_(bias),
        bounds_(bounds),
        add_(kernels.map->add),
        clamp_(kernels.elementwise->clamp_f32) {}

  void run(const Frame& frame) const noexcept override {
    const std::ptrdiff_t outputs = std::ptrdiff_t{it_.outputs} * it_.group;
    const std::ptrdiff_t plane = std::ptrdiff_t{it_.y.out} * it_.x.out;
    const float* x = frame.at<const float>(buffers_.x);
    float* y = frame.at<float>(buffers_.y);
    for (int n = 0; n < it_.batch; ++n, y += plane * outputs) {
      for (std::ptrdiff_t i = 0; i < plane; ++i) std::copy_n(bias_, outputs, y + i * outputs);
      for (int row = 0; row < it_.y.in; ++row, x += std::ptrdiff_t{it_.x.in} * it_.channels * it_.group) {
        for (int g = 0; g < it_.group; ++g) stamp_row(frame, x + std::ptrdiff_t{g} * it_.channels, row, g, y);
      }
      clamp_(y, y, static_cast<std::size_t>(plane * outputs), bounds_.low, bounds_.high);
    }
  }

 private:
  void stamp_row(const Frame& frame, const float* x, int row, int g, float* y) const noexcept {
    auto* stamps = frame.at<float>(buffers_.stamps);
    const std::ptrdiff_t width = std::ptrdiff_t{it_.taps()} * it_.outputs;
    matrices_[static_cast<std::size_t>(g)].run({.count = it_.x.in, .a = x, .stride = std::ptrdiff_t{it_.channels} * it_.group},
                                               {.c = stamps, .stride = width}, kAllSlices);
    const std::ptrdiff_t outputs = std::ptrdiff_t{it_.outputs} * it_.group;
    for (int ky = 0; ky < it_.y.kernel; ++ky) {
      const int out_y = row * it_.y.stride - it_.y.pad + ky * it_.y.dilation;
      if (out_y < 0 || out_y >= it_.y.out) continue;
      float* line = y + std::ptrdiff_t{out_y} * it_.x.out * outputs + std::ptrdiff_t{g} * it_.outputs;
      for (int i = 0; i < it_.x.in; ++i) {
        for (int kx = 0; kx < it_.x.kernel; ++kx) {
          const int out_x = i * it_.x.stride - it_.x.pad + kx * it_.x.dilation;
          if (out_x < 0 || out_x >= it_.x.out) continue;
          const float* from = stamps + i * width + (std::ptrdiff_t{ky} * it_.x.kernel + kx) * it_.outputs;
          float* to = line + out_x * outputs;
          constexpr float kInfinity = std::numeric_limits<float>::infinity();
          add_({.a = to, .b = from, .y = to, .count = static_cast<std::size_t>(it_.outputs), .low = -kInfinity, .high = kInfinity});
        }
      }
    }
  }

  Geometry it_;
  Buffers buffers_;
  std::vector<MatrixF32> matrices_;
  const float* bias_;
  Bounds bounds_;
  kernels::BinaryMap add_;
  void (*clamp_)(const float* x, float* y, std::size_t count, float low, float high);
};

/// What is taken off in front of an axis: where the output's extent is asked for, it follows from that.
Result<std::int64_t> pad_of(const model::Node& node, const model::ops::Window& window, std::size_t axis, std::int64_t in,
                            std::int64_t out) {
  const bool upper = window.auto_pad == model::ops::AutoPad::kSameUpper;
  const bool same = upper || window.auto_pad == model::ops::AutoPad::kSameLower;
  if (!same && !node.attributes.contains("output_shape")) return window.pads_begin[axis];
  MORU_ASSIGN_OR_RETURN(auto behind, model::ints_attribute(node, "output_padding", {}));
  behind.resize(window.rank(), 0);
  const std::int64_t whole = (in - 1) * window.strides[axis] + behind[axis] + window.reach(axis);
  const std::int64_t total = std::max<std::int64_t>(whole - out, 0);
  return upper ? total / 2 : total - total / 2;
}

Result<Geometry> read_transposed(const model::Node& node, const model::Dims& x, const model::Dims& w, const model::Dims& y) {
  if (x.size() != 3 && x.size() != 4) {
    return fail(ErrorCode::kUnsupported, fmt::format("found {} spatial axes, expected 1 or 2", static_cast<int>(x.size()) - 2));
  }
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() / 4;
  for (const model::Dims& dims : {x, w, y}) {
    for (const std::int64_t extent : dims) {
      if (extent < 1 || extent > kMost) {
        return fail(ErrorCode::kUnsupported, fmt::format("found extent {} in {}, expected 1 or more", extent, model::to_string(dims)));
      }
    }
  }
  MORU_ASSIGN_OR_RETURN(const std::int64_t group, model::ops::read_group(node));
  MORU_ASSIGN_OR_RETURN(const auto window, model::ops::read_window(node, std::span(w).subspan(2)));
  Geometry geometry{.batch = static_cast<int>(x[0]),
                    .channels = static_cast<int>(x[1] / group),
                    .outputs = static_cast<int>(w[1]),
                    .group = static_cast<int>(group)};
  for (std::size_t i = 0; i < window.rank(); ++i) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t pad, pad_of(node, window, i, x[i + 2], y[i + 2]));
    // Places in the output are counted in 32 bits.
    if (pad > kMost || (x[i + 2] - 1) * window.strides[i] + window.reach(i) > kMost) {
      return fail(ErrorCode::kUnsupported, "found a window that reaches too far, expected less than 2^29 places");
    }
    Axis& axis = i + 1 == window.rank() ? geometry.x : geometry.y;
    const auto number = [](std::int64_t value) { return static_cast<int>(value); };
    axis = {number(x[i + 2]), number(y[i + 2]), number(window.kernel[i]), number(window.strides[i]), number(window.dilations[i]),
            number(pad)};
  }
  return geometry;
}

/// W [C, O/group, kernel...] of one group as [taps, O/group] rows of C/group.
std::vector<float> rows_of(const Geometry& geometry, std::span<const float> w, int g) {
  const auto taps = static_cast<std::size_t>(geometry.taps());
  const auto channels = static_cast<std::size_t>(geometry.channels);
  const auto outputs = static_cast<std::size_t>(geometry.outputs);
  const auto own = w.subspan(static_cast<std::size_t>(g) * channels * outputs * taps, channels * outputs * taps);
  std::vector<float> rows(own.size());
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t o = 0; o < outputs; ++o) {
      for (std::size_t tap = 0; tap < taps; ++tap) rows[(tap * outputs + o) * channels + c] = own[(c * outputs + o) * taps + tap];
    }
  }
  return rows;
}

Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kX, kW, kB };
  MORU_ASSIGN_OR_RETURN(const model::Tensor* w, lowering.constant(node, kW));
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, kX, Layout::kChannelsLast));
  if (!x.is_float() || w->dtype() != model::DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected float32");
  model::ValueId y = node.outputs.front();
  MORU_ASSIGN_OR_RETURN(const model::Dims y_dims, lowering.dims(y));
  MORU_ASSIGN_OR_RETURN(const Geometry geometry, read_transposed(node, x.dims, w->dims(), y_dims));
  std::vector<float> bias(static_cast<std::size_t>(y_dims[1]), 0.0F);
  if (lowering.has_input(node, kB)) {
    MORU_ASSIGN_OR_RETURN(const model::Tensor* b, lowering.constant(node, kB));
    std::ranges::copy(b->data<float>(), bias.begin());
  }
  const std::vector<float> more = lowering.absorb_bias(y, 1);
  for (std::size_t o = 0; o < more.size(); ++o) bias[o] += more[o];
  const Bounds bounds = lowering.absorb_bounds(y);
  std::vector<MatrixF32> matrices;
  for (int g = 0; g < geometry.group; ++g) {
    const auto rows = rows_of(geometry, w->data<float>(), g);
    MORU_ASSIGN_OR_RETURN(const auto matrix,
                          make_matrix(lowering, rows, {.n = geometry.taps() * geometry.outputs, .k = geometry.channels}, {}, {}));
    matrices.push_back(matrix);
  }
  MORU_ASSIGN_OR_RETURN(const float* kept, lowering.keep(bias));
  MORU_ASSIGN_OR_RETURN(const Stored out, lowering.output(y, Layout::kChannelsLast));
  const BufferId stamps = lowering.scratch(static_cast<std::size_t>(geometry.x.in) * static_cast<std::size_t>(geometry.taps()) *
                                           static_cast<std::size_t>(geometry.outputs) * sizeof(float));
  lowering.add(std::make_unique<ConvTransposeStep>(geometry, ConvTransposeStep::Buffers{x.buffer, out.buffer, stamps}, std::move(matrices),
                                                   kept, bounds, lowering.kernels()),
               {x.buffer, out.buffer, stamps});
  return {};
}

}  // namespace

extern const LowerSpec kLower_conv_transpose;
const LowerSpec kLower_conv_transpose{.name = "ConvTranspose", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
