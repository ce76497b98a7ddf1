// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/lines.h"

#include "runtime/engine/elements.h"

namespace moru::runtime::engine {
namespace {

template <class T>
class ArgStep final : public Step {
 public:
  ArgStep(BufferId x, BufferId y, const LineShape& shape, Extreme extreme, bool last)
      : x_(x), y_(y), it_(shape), extreme_(extreme), last_(last) {}

  void run(const Frame& frame) const noexcept override {
    const T* x = frame.at<const T>(x_);
    auto* y = frame.at<std::int64_t>(y_);
    for_each_line(it_, [&](std::size_t start) { *y++ = place(x + start); });
  }

 private:
  std::int64_t place(const T* line) const noexcept {
    std::size_t best = 0;
    for (std::size_t i = 1; i < it_.extent; ++i) {
      const T a = line[i * it_.inner];
      const T b = line[best * it_.inner];
      if ((extreme_ == Extreme::kLargest ? a > b : a < b) || (last_ && a == b)) best = i;
    }
    return static_cast<std::int64_t>(best);
  }

  BufferId x_;
  BufferId y_;
  LineShape it_;
  Extreme extreme_;
  bool last_;
};

}  // namespace

Result<LineShape> read_lines(const model::Node& node, const model::Dims& dims, std::int64_t usual_axis) {
  MORU_ASSIGN_OR_RETURN(std::int64_t axis, model::int_attribute(node, "axis", usual_axis));
  if (axis < 0) axis += static_cast<std::int64_t>(dims.size());
  LineShape shape;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    auto& part = i < static_cast<std::size_t>(axis) ? shape.outer : i == static_cast<std::size_t>(axis) ? shape.extent : shape.inner;
    part *= static_cast<std::size_t>(dims[i]);
  }
  return shape;
}

Status lower_arg(Lowering& lowering, const model::Node& node, Extreme extreme) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const LineShape shape, read_lines(node, x.dims, 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t last, model::int_attribute(node, "select_last_index", 0));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  if (shape.extent == 0) return fail(ErrorCode::kUnsupported, "found no elements along the axis, expected some");
  return with_number_type(x.dtype, [&]<class T>() -> Status {
    lowering.add(std::make_unique<ArgStep<T>>(x.buffer, y.buffer, shape, extreme, last != 0), {x.buffer, y.buffer});
    return {};
  });
}

}  // namespace moru::runtime::engine
