// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/softmax.h"

#include <algorithm>
#include <cmath>

namespace moru::runtime::engine {
namespace {

/// Rows one after the other: all exponentials are one call of a kernel, however short the rows are.
class SoftmaxRowsStep final : public SplitStep {
 public:
  SoftmaxRowsStep(BufferId x, BufferId y, std::size_t rows, std::size_t width, const kernels::Kernels& kernels)
      : SplitStep(static_cast<int>((rows + kBlock - 1) / kBlock)), x_(x), y_(y), rows_(rows), width_(width), exp_(kernels.map->exp) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    const std::size_t first = static_cast<std::size_t>(begin) * kBlock;
    const std::size_t rows = std::min(static_cast<std::size_t>(end) * kBlock, rows_) - first;
    const float* x = frame.at<const float>(x_) + first * width_;
    float* y = frame.at<float>(y_) + first * width_;
    for (std::size_t i = 0; i < rows; ++i) below_most(x + i * width_, y + i * width_);
    exp_(y, y, rows * width_, 0, 0);
    for (std::size_t i = 0; i < rows; ++i) normalize(y + i * width_);
  }

 private:
  void below_most(const float* x, float* y) const noexcept {
    float most = x[0];
    for (std::size_t i = 1; i < width_; ++i) most = std::max(most, x[i]);
    for (std::size_t i = 0; i < width_; ++i) y[i] = x[i] - most;
  }
  void normalize(float* y) const noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < width_; ++i) sum += double{y[i]};
    const auto factor = static_cast<float>(1.0 / sum);
    for (std::size_t i = 0; i < width_; ++i) y[i] *= factor;
  }

  BufferId x_;
  BufferId y_;
  std::size_t rows_;
  std::size_t width_;
  kernels::UnaryMap exp_;
  static constexpr std::size_t kBlock = 64;  ///< rows: a multiple of any register's lanes, so that all cuts end where registers do
};

/// Along another axis than the last, element by element.
class SoftmaxStep final : public SplitStep {
 public:
  SoftmaxStep(BufferId x, BufferId y, SoftmaxShape shape) : SplitStep(static_cast<int>(shape.outer)), x_(x), y_(y), it_(shape) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    const std::size_t first = static_cast<std::size_t>(begin) * it_.axis * it_.inner;
    const float* x = frame.at<const float>(x_) + first;
    float* y = frame.at<float>(y_) + first;
    for (int i = begin; i < end; ++i, x += it_.axis * it_.inner, y += it_.axis * it_.inner) {
      for (std::size_t j = 0; j < it_.inner; ++j) line(x + j, y + j);
    }
  }

 private:
  void line(const float* x, float* y) const noexcept {
    float most = x[0];
    for (std::size_t i = 1; i < it_.axis; ++i) most = std::max(most, x[i * it_.inner]);
    double sum = 0;
    for (std::size_t i = 0; i < it_.axis; ++i) {
      y[i * it_.inner] = std::exp(x[i * it_.inner] - most);
      sum += double{y[i * it_.inner]};
    }
    for (std::size_t i = 0; i < it_.axis; ++i) y[i * it_.inner] = static_cast<float>(double{y[i * it_.inner]} / sum);
  }

  BufferId x_;
  BufferId y_;
  SoftmaxShape it_;
};

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kPlain));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const SoftmaxShape shape, read_softmax(node, x.dims));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  if (x.count() == 0) return {};
  std::unique_ptr<Step> step;
  if (shape.inner == 1) {
    step = std::make_unique<SoftmaxRowsStep>(x.buffer, y.buffer, shape.outer, shape.axis, lowering.kernels());
  } else {
    step = std::make_unique<SoftmaxStep>(x.buffer, y.buffer, shape);
  }
  lowering.add(std::move(step), {x.buffer, y.buffer});
  lowering.may_overwrite(x.buffer, y.buffer);
  return {};
}

}  // namespace

extern const LowerSpec kLower_softmax;
const LowerSpec kLower_softmax{.name = "Softmax", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
