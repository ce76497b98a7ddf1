// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/reduce.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace moru::runtime::engine {
namespace {

/// x as [outer, axis, inner].
struct Shape {
  std::size_t outer = 1;
  std::size_t axis = 1;
  std::size_t inner = 1;
};

class ReduceStep final : public SplitStep {
 public:
  ReduceStep(BufferId x, BufferId y, Shape shape, const Reduction& reduction, const kernels::Kernels& kernels)
      : SplitStep(static_cast<int>(shape.outer)), x_(x), y_(y), it_(shape), reduction_(reduction), kernel_(kernels.elementwise) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    const auto first = static_cast<std::size_t>(begin);
    const float* x = frame.at<const float>(x_) + first * it_.axis * it_.inner;
    float* y = frame.at<float>(y_) + first * it_.inner;
    for (int i = begin; i < end; ++i, x += it_.axis * it_.inner, y += it_.inner) {
      if (it_.inner == 1) {
        *y = row(x);
      } else {
        std::fill_n(y, it_.inner, reduction_.first);
        reduction_.rows(*kernel_, x, it_.axis, static_cast<std::ptrdiff_t>(it_.inner), it_.inner, y);
      }
      for (std::size_t j = 0; reduction_.is_mean && j < it_.inner; ++j) y[j] /= static_cast<float>(it_.axis);
      for (std::size_t j = 0; reduction_.is_root && j < it_.inner; ++j) y[j] = std::sqrt(y[j]);
    }
  }

 private:
  /// Elements that lie side by side: 64 at a time, then those.
  float row(const float* x) const noexcept {
    constexpr std::size_t kLanes = 64;
    std::array<float, kLanes> lanes;
    lanes.fill(reduction_.first);
    const std::size_t rows = it_.axis / kLanes;
    reduction_.rows(*kernel_, x, rows, kLanes, kLanes, lanes.data());
    float result = reduction_.first;
    for (const float lane : lanes) result = reduction_.one(result, lane);
    reduction_.rows(*kernel_, x + rows * kLanes, it_.axis - rows * kLanes, 1, 1, &result);
    return result;
  }

  BufferId x_;
  BufferId y_;
  Shape it_;
  Reduction reduction_;
  const kernels::ElementwiseKernel* kernel_;
};

/// Which of the graph's axes are reduced.
Result<std::vector<bool>> read_axes(Lowering& lowering, const model::Node& node, std::size_t rank) {
  const model::Tensor* axes = nullptr;
  if (lowering.has_input(node, 1)) {
    MORU_ASSIGN_OR_RETURN(axes, lowering.constant(node, 1));
  }
  if (axes == nullptr || axes->count() == 0) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t nothing, model::int_attribute(node, "noop_with_empty_axes", 0));
    return std::vector<bool>(rank, nothing == 0);
  }
  std::vector<bool> reduced(rank, false);
  for (const std::int64_t axis : axes->data<std::int64_t>()) {
    reduced[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis)] = true;
  }
  return reduced;
}

/// In the order x lies in; nullopt where something that is kept lies between reduced axes.
std::optional<Shape> shape_of(const Stored& x, std::vector<bool> reduced) {
  if (x.layout == Layout::kChannelsLast) std::rotate(reduced.begin() + 1, reduced.begin() + 2, reduced.end());
  const model::Dims dims = x.physical_dims();
  Shape shape;
  bool seen = false;
  bool over = false;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const auto extent = static_cast<std::size_t>(dims[i]);
    if (extent == 1) continue;
    if (reduced[i] && over) return std::nullopt;
    seen = seen || reduced[i];
    over = seen && !reduced[i];
    (reduced[i] ? shape.axis : seen ? shape.inner : shape.outer) *= extent;
  }
  return shape;
}

}  // namespace

Status lower_reduce(Lowering& lowering, const model::Node& node, const Reduction& reduction) {
  MORU_ASSIGN_OR_RETURN(Stored x, lowering.input(node, 0));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  MORU_ASSIGN_OR_RETURN(const auto reduced, read_axes(lowering, node, x.dims.size()));
  if (!reduced.empty() && std::ranges::none_of(reduced, std::identity())) {  // asked to do nothing
    lowering.alias(node.outputs.front(), x);
    return {};
  }
  auto shape = shape_of(x, reduced);
  if (!shape && x.layout == Layout::kChannelsLast) {
    MORU_ASSIGN_OR_RETURN(x, lowering.input(node, 0, Layout::kPlain));
    shape = shape_of(x, reduced);
  }
  if (!shape || x.count() == 0) return fail(ErrorCode::kUnsupported, "expected axes that lie side by side, and no empty tensor");
  // What is left of an image lies as the image did; without the axes it is plain.
  MORU_ASSIGN_OR_RETURN(const model::Dims y_dims, lowering.dims(node.outputs.front()));
  const bool keeps_rank = y_dims.size() == x.dims.size();
  if (!keeps_rank && x.layout == Layout::kChannelsLast && (reduced[1] || !reduced[2])) {
    MORU_ASSIGN_OR_RETURN(x, lowering.input(node, 0, Layout::kPlain));
    shape = shape_of(x, reduced);
    if (!shape) return fail(ErrorCode::kUnsupported, "expected axes that lie side by side");
  }
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), keeps_rank ? x.layout : Layout::kPlain));
  lowering.add(std::make_unique<ReduceStep>(x.buffer, y.buffer, *shape, reduction, lowering.kernels()), {x.buffer, y.buffer});
  return {};
}

}  // namespace moru::runtime::engine
