// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/normalize.h"

#include <cmath>

namespace moru::runtime::engine {
namespace {

struct Shape {
  std::size_t runs = 0;      ///< of all images
  std::size_t groups = 1;    ///< runs of an image
  std::size_t channels = 0;  ///< of a run
  std::size_t plane = 0;     ///< elements of a channel
};

class NormalizeStep final : public Step {
 public:
  NormalizeStep(BufferId x, BufferId y, const Shape& shape, const float* scale, const float* bias, float epsilon)
      : x_(x), y_(y), it_(shape), scale_(scale), bias_(bias), epsilon_(epsilon) {}

  void run(const Frame& frame) const noexcept override {
    const std::size_t size = it_.channels * it_.plane;
    const float* x = frame.at<const float>(x_);
    float* y = frame.at<float>(y_);
    for (std::size_t i = 0; i < it_.runs; ++i, x += size, y += size) normalize(x, i % it_.groups * it_.channels, y);
  }

 private:
  /// In two passes: the mean first, so that nothing cancels.
  void normalize(const float* x, std::size_t first, float* y) const noexcept {
    const std::size_t size = it_.channels * it_.plane;
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += double{x[i]};
    const double mean = sum / static_cast<double>(size);
    double squares = 0;
    for (std::size_t i = 0; i < size; ++i) squares += (double{x[i]} - mean) * (double{x[i]} - mean);
    const double factor = 1.0 / std::sqrt(squares / static_cast<double>(size) + double{epsilon_});
    for (std::size_t c = first; c < first + it_.channels; ++c, x += it_.plane, y += it_.plane) {
      const auto scale = static_cast<float>(factor * double{scale_[c]});
      const auto middle = static_cast<float>(mean);
      for (std::size_t i = 0; i < it_.plane; ++i) y[i] = (x[i] - middle) * scale + bias_[c];
    }
  }

  BufferId x_;
  BufferId y_;
  Shape it_;
  const float* scale_;
  const float* bias_;
  float epsilon_;
};

Result<const float*> kept(Lowering& lowering, const model::Node& node, std::size_t input) {
  MORU_ASSIGN_OR_RETURN(const model::Tensor* tensor, lowering.constant(node, input));
  if (tensor->dtype() != model::DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected float32");
  return lowering.keep(std::vector<float>(tensor->data<float>().begin(), tensor->data<float>().end()));
}

}  // namespace

Status lower_normalization(Lowering& lowering, const model::Node& node, std::int64_t groups) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kPlain));
  if (!x.is_float() || x.count() == 0) return fail(ErrorCode::kUnsupported, "expected float32, and no empty tensor");
  MORU_ASSIGN_OR_RETURN(const float epsilon, model::float_attribute(node, "epsilon", 1e-5F));
  MORU_ASSIGN_OR_RETURN(const float* scale, kept(lowering, node, 1));
  MORU_ASSIGN_OR_RETURN(const float* bias, kept(lowering, node, 2));
  Shape shape;
  const auto channels = static_cast<std::size_t>(x.dims[1]);
  shape.groups = static_cast<std::size_t>(groups);
  shape.channels = channels / shape.groups;
  shape.runs = static_cast<std::size_t>(x.dims[0]) * shape.groups;
  shape.plane = x.count() / (static_cast<std::size_t>(x.dims[0]) * channels);
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  lowering.add(std::make_unique<NormalizeStep>(x.buffer, y.buffer, shape, scale, bias, epsilon), {x.buffer, y.buffer});
  lowering.may_overwrite(x.buffer, y.buffer);
  return {};
}

}  // namespace moru::runtime::engine
