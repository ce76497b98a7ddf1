// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {
namespace {

class LayerNormStep final : public SplitStep {
 public:
  LayerNormStep(BufferId x, BufferId y, std::size_t rows, std::size_t width, const float* scale, const float* bias, float epsilon)
      : SplitStep(static_cast<int>(rows)), x_(x), y_(y), width_(width), scale_(scale), bias_(bias), epsilon_(epsilon) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    const std::size_t first = static_cast<std::size_t>(begin) * width_;
    const float* x = frame.at<const float>(x_) + first;
    float* y = frame.at<float>(y_) + first;
    for (int i = begin; i < end; ++i, x += width_, y += width_) row(x, y);
  }

 private:
  /// In two passes: the mean first, so that nothing cancels.
  void row(const float* x, float* y) const noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < width_; ++i) sum += double{x[i]};
    const auto mean = static_cast<float>(sum / static_cast<double>(width_));
    double squares = 0;
    for (std::size_t i = 0; i < width_; ++i) squares += double{x[i] - mean} * double{x[i] - mean};
    const auto factor = static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(width_) + double{epsilon_}));
    for (std::size_t i = 0; i < width_; ++i) y[i] = (x[i] - mean) * factor * scale_[i] + bias_[i];
  }

  BufferId x_;
  BufferId y_;
  std::size_t width_;
  const float* scale_;
  const float* bias_;
  float epsilon_;
};

/// A constant of one number an element of a row; `fallback` where it is left out.
Result<const float*> row_constant(Lowering& lowering, const model::Node& node, std::size_t index, std::size_t width, float fallback) {
  std::vector<float> values(width, fallback);
  if (lowering.has_input(node, index)) {
    MORU_ASSIGN_OR_RETURN(const model::Tensor* tensor, lowering.constant(node, index));
    const auto data = tensor->data<float>();
    if (data.size() != width && data.size() != 1) return fail(ErrorCode::kUnsupported, "expected one scale and bias an element of a row");
    for (std::size_t i = 0; i < width; ++i) values[i] = data[data.size() == 1 ? 0 : i];
  }
  return lowering.keep(values);
}

Status lower(Lowering& lowering, const model::Node& node) {
  if (node.outputs.size() > 1) return fail(ErrorCode::kUnsupported, "found a use of the mean or the deviation, expected Y only");
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kPlain));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(std::int64_t axis, model::int_attribute(node, "axis", -1));
  MORU_ASSIGN_OR_RETURN(const float epsilon, model::float_attribute(node, "epsilon", 1e-5F));
  if (axis < 0) axis += static_cast<std::int64_t>(x.dims.size());
  std::size_t width = 1;
  for (std::size_t i = static_cast<std::size_t>(axis); i < x.dims.size(); ++i) width *= static_cast<std::size_t>(x.dims[i]);
  MORU_ASSIGN_OR_RETURN(const float* scale, row_constant(lowering, node, 1, width, 1));
  MORU_ASSIGN_OR_RETURN(const float* bias, row_constant(lowering, node, 2, width, 0));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  const std::size_t rows = width == 0 ? 0 : x.count() / width;
  lowering.add(std::make_unique<LayerNormStep>(x.buffer, y.buffer, rows, width, scale, bias, epsilon), {x.buffer, y.buffer});
  lowering.may_overwrite(x.buffer, y.buffer);
  return {};
}

}  // namespace

extern const LowerSpec kLower_layer_normalization;
const LowerSpec kLower_layer_normalization{.name = "LayerNormalization", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
