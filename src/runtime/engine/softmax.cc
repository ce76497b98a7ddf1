// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/softmax.h"

#include <algorithm>
#include <cmath>

namespace moru::runtime::engine {
namespace {

constexpr std::size_t kLevels = 256;
/// So few numbers are done one by one: going over all levels would take longer.
constexpr std::size_t kFew = 32;

/// DequantizeLinear, Softmax in double as its definition has it, QuantizeLinear.
class SoftmaxLevelsStep final : public SplitStep {
 public:
  struct Buffers {
    BufferId x;
    BufferId y;
    BufferId exps;     ///< a double a level
    BufferId results;  ///< a float a level, then a level a level
  };
  SoftmaxLevelsStep(const Buffers& buffers, std::size_t rows, std::size_t width, const LevelScale& from, const LevelScale& to,
                    const kernels::Kernels& kernels)
      : SplitStep(static_cast<int>(rows)), buffers_(buffers), width_(width), from_(from), to_(to), kernel_(kernels.elementwise) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    const std::size_t first = static_cast<std::size_t>(begin) * width_;
    const auto* x = frame.at<const std::uint8_t>(buffers_.x) + first;
    auto* y = frame.at<std::uint8_t>(buffers_.y) + first;
    const auto of_row = width_ <= kFew ? &SoftmaxLevelsStep::few : &SoftmaxLevelsStep::row;
    for (int i = begin; i < end; ++i, x += width_, y += width_) (this->*of_row)(frame, x, y);
  }

 private:
  double real(std::size_t level) const { return double{static_cast<float>(static_cast<std::int32_t>(level) - from_.zero) * from_.scale}; }

  void few(const Frame& frame, const std::uint8_t* x, std::uint8_t* y) const noexcept {
    auto* exps = frame.at<double>(buffers_.exps);
    auto* results = frame.at<float>(buffers_.results);
    const double most = real(*std::max_element(x, x + width_));
    double sum = 0;
    for (std::size_t i = 0; i < width_; ++i) {
      exps[i] = std::exp(real(x[i]) - most);
      sum += exps[i];
    }
    for (std::size_t i = 0; i < width_; ++i) results[i] = static_cast<float>(exps[i] / sum);
    quantize(results, y, width_);
  }

  void quantize(const float* x, std::uint8_t* y, std::size_t count) const noexcept {
    kernel_->quantize(x, y, count, to_.scale, static_cast<float>(-to_.zero), static_cast<float>(255 - to_.zero), to_.zero);
  }

  void row(const Frame& frame, const std::uint8_t* x, std::uint8_t* y) const noexcept {
    auto* exps = frame.at<double>(buffers_.exps);
    auto* results = frame.at<float>(buffers_.results);
    auto* levels = reinterpret_cast<std::uint8_t*>(results + kLevels);
    std::fill_n(exps, kLevels, -1.0);
    std::uint8_t most = 0;
    for (std::size_t i = 0; i < width_; ++i) most = std::max(most, x[i]);
    double sum = 0;
    for (std::size_t i = 0; i < width_; ++i) {
      double& of_level = exps[x[i]];
      if (of_level < 0) of_level = std::exp(real(x[i]) - real(most));
      sum += of_level;
    }
    for (std::size_t i = 0; i < kLevels; ++i) results[i] = static_cast<float>(exps[i] / sum);
    quantize(results, levels, kLevels);
    kernel_->table_u8(levels, x, y, width_);
  }

  Buffers buffers_;
  std::size_t width_;
  LevelScale from_;
  LevelScale to_;
  const kernels::ElementwiseKernel* kernel_;
};

}  // namespace

Result<SoftmaxShape> read_softmax(const model::Node& node, const model::Dims& dims) {
  MORU_ASSIGN_OR_RETURN(std::int64_t axis, model::int_attribute(node, "axis", -1));
  if (axis < 0) axis += static_cast<std::int64_t>(dims.size());
  SoftmaxShape shape;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    auto& part = i < static_cast<std::size_t>(axis) ? shape.outer : i == static_cast<std::size_t>(axis) ? shape.axis : shape.inner;
    part *= static_cast<std::size_t>(dims[i]);
  }
  return shape;
}

Result<bool> absorb_softmax(Lowering& lowering, const model::Node& dequantize, const Stored& x, const LevelScale& scale) {
  model::ValueId value = dequantize.outputs.front();
  const model::Node* softmax = lowering.only_user(value, "Softmax");
  const model::Node* quantize = softmax == nullptr ? nullptr : lowering.only_user(softmax->outputs.front(), "QuantizeLinear");
  if (quantize == nullptr || x.layout != Layout::kPlain || x.count() == 0) return false;
  MORU_ASSIGN_OR_RETURN(const SoftmaxShape shape, read_softmax(*softmax, x.dims));
  const auto y_dtype = lowering.graph().value(quantize->outputs.front()).type.dtype;
  if (shape.inner != 1 || (y_dtype != model::DType::kInt8 && y_dtype != model::DType::kUInt8)) return false;
  MORU_ASSIGN_OR_RETURN(const LevelScale to, read_level_scale(lowering, *quantize, *y_dtype));
  lowering.absorb_user(value);
  lowering.absorb_user(value);
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(value, Layout::kPlain));
  const BufferId exps = lowering.scratch(kLevels * sizeof(double));
  const BufferId results = lowering.scratch(kLevels * (sizeof(float) + 1));
  lowering.add(std::make_unique<SoftmaxLevelsStep>(SoftmaxLevelsStep::Buffers{x.buffer, y.buffer, exps, results}, shape.outer, shape.axis,
                                                   scale, to, lowering.kernels()),
               {x.buffer, y.buffer, exps, results});
  lowering.may_overwrite(x.buffer, y.buffer);
  return true;
}

}  // namespace moru::runtime::engine
