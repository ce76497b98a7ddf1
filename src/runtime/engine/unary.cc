// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

class MapStep final : public ElementsStep {
 public:
  MapStep(BufferId x, BufferId y, std::size_t count, kernels::UnaryMap map, float p, float q)
      : ElementsStep(count), x_(x), y_(y), map_(map), p_(p), q_(q) {}

  void run_elements(const Frame& frame, std::size_t first, std::size_t count) const noexcept override {
    map_(frame.at<const float>(x_) + first, frame.at<float>(y_) + first, count, p_, q_);
  }

 private:
  BufferId x_;
  BufferId y_;
  kernels::UnaryMap map_;
  float p_;
  float q_;
};

class ClampStep final : public ElementsStep {
 public:
  ClampStep(BufferId x, BufferId y, std::size_t count, Bounds bounds, const kernels::Kernels& kernels)
      : ElementsStep(count), x_(x), y_(y), bounds_(bounds), clamp_(kernels.elementwise->clamp_f32) {}

  void run_elements(const Frame& frame, std::size_t first, std::size_t count) const noexcept override {
    clamp_(frame.at<const float>(x_) + first, frame.at<float>(y_) + first, count, bounds_.low, bounds_.high);
  }

 private:
  BufferId x_;
  BufferId y_;
  Bounds bounds_;
  void (*clamp_)(const float* x, float* y, std::size_t count, float low, float high);
};

}  // namespace

Status lower_map(Lowering& lowering, const model::Node& node, kernels::UnaryMap map, float p, float q) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), x.layout));
  lowering.add(std::make_unique<MapStep>(x.buffer, y.buffer, x.count(), map, p, q), {x.buffer, y.buffer});
  lowering.may_overwrite(x.buffer, y.buffer);
  return {};
}

Status lower_clamp(Lowering& lowering, const model::Node& node, Bounds bounds) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), x.layout));
  lowering.add(std::make_unique<ClampStep>(x.buffer, y.buffer, x.count(), bounds, lowering.kernels()), {x.buffer, y.buffer});
  lowering.may_overwrite(x.buffer, y.buffer);
  return {};
}

}  // namespace moru::runtime::engine
