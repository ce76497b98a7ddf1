// SPDX-License-Identifier: Apache-2.0
// A function of each float.
#pragma once

#include <utility>

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

template <class F>
class UnaryStep final : public ElementsStep {
 public:
  UnaryStep(BufferId x, BufferId y, std::size_t count, F f) : ElementsStep(count), x_(x), y_(y), f_(std::move(f)) {}

  void run_elements(const Frame& frame, std::size_t first, std::size_t count) const noexcept override {
    const float* x = frame.at<const float>(x_) + first;
    float* y = frame.at<float>(y_) + first;
    for (std::size_t i = 0; i < count; ++i) y[i] = f_(x[i]);
  }

 private:
  BufferId x_;
  BufferId y_;
  F f_;
};

/// Lowers a node of one float input and one output, y = f(x), for functions that no kernel is written for. kUnsupported for levels.
template <class F>
Status lower_unary(Lowering& lowering, const model::Node& node, F f) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), x.layout));
  lowering.add(std::make_unique<UnaryStep<F>>(x.buffer, y.buffer, x.count(), std::move(f)), {x.buffer, y.buffer});
  lowering.may_overwrite(x.buffer, y.buffer);
  return {};
}

/// The same by a kernel, with the numbers it takes.
Status lower_map(Lowering& lowering, const model::Node& node, kernels::UnaryMap map, float p = 0, float q = 0);
/// y = clamp(x, bounds).
Status lower_clamp(Lowering& lowering, const model::Node& node, Bounds bounds);

}  // namespace moru::runtime::engine
