// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/softmax.h"

#include <algorithm>
#include <cmath>

namespace moru::runtime::engine {
namespace {

/// As the definition: in double, rounded once.
class SoftmaxStep final : public Step {
 public:
  SoftmaxStep(BufferId x, BufferId y, BufferId exps, SoftmaxShape shape) : x_(x), y_(y), exps_(exps), it_(shape) {}

  void run(const Frame& frame) const noexcept override {
    const float* x = frame.at<const float>(x_);
    float* y = frame.at<float>(y_);
    for (std::size_t i = 0; i < it_.outer; ++i, x += it_.axis * it_.inner, y += it_.axis * it_.inner) {
      for (std::size_t j = 0; j < it_.inner; ++j) line(x + j, y + j, frame.at<double>(exps_));
    }
  }

 private:
  void line(const float* x, float* y, double* exps) const noexcept {
    float most = x[0];
    for (std::size_t i = 1; i < it_.axis; ++i) most = std::max(most, x[i * it_.inner]);
    double sum = 0;
    for (std::size_t i = 0; i < it_.axis; ++i) {
      exps[i] = std::exp(double{x[i * it_.inner]} - double{most});
      sum += exps[i];
    }
    for (std::size_t i = 0; i < it_.axis; ++i) y[i * it_.inner] = static_cast<float>(exps[i] / sum);
  }

  BufferId x_;
  BufferId y_;
  BufferId exps_;
  SoftmaxShape it_;
};

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kPlain));
  if (x.is_levels()) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const SoftmaxShape shape, read_softmax(node, x.dims));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  if (x.count() == 0) return {};
  const BufferId exps = lowering.scratch(shape.axis * sizeof(double));
  lowering.add(std::make_unique<SoftmaxStep>(x.buffer, y.buffer, exps, shape), {x.buffer, y.buffer, exps});
  return {};
}

}  // namespace

extern const LowerSpec kLower_softmax;
const LowerSpec kLower_softmax{.name = "Softmax", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
