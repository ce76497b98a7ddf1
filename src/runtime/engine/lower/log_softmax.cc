// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "runtime/engine/lines.h"

namespace moru::runtime::engine {
namespace {

class LogSoftmaxStep final : public Step {
 public:
  LogSoftmaxStep(BufferId x, BufferId y, const LineShape& shape) : x_(x), y_(y), it_(shape) {}

  void run(const Frame& frame) const noexcept override {
    const float* x = frame.at<const float>(x_);
    float* y = frame.at<float>(y_);
    for_each_line(it_, [&](std::size_t start) { line(x + start, y + start); });
  }

 private:
  void line(const float* x, float* y) const noexcept {
    float most = x[0];
    for (std::size_t i = 1; i < it_.extent; ++i) most = std::max(most, x[i * it_.inner]);
    double sum = 0;
    for (std::size_t i = 0; i < it_.extent; ++i) sum += std::exp(double{x[i * it_.inner]} - double{most});
    const double offset = double{most} + std::log(sum);
    for (std::size_t i = 0; i < it_.extent; ++i) y[i * it_.inner] = static_cast<float>(double{x[i * it_.inner]} - offset);
  }

  BufferId x_;
  BufferId y_;
  LineShape it_;
};

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kPlain));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const LineShape shape, read_lines(node, x.dims, -1));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  if (x.count() > 0) lowering.add(std::make_unique<LogSoftmaxStep>(x.buffer, y.buffer, shape), {x.buffer, y.buffer});
  return {};
}

}  // namespace

extern const LowerSpec kLower_log_softmax;
const LowerSpec kLower_log_softmax{.name = "LogSoftmax", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
