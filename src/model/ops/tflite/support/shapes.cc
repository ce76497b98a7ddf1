// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/shapes.h"

#include <fmt/format.h>

#include <algorithm>

namespace moru::model::tflite_ops {

Status infer_same(InferContext& context, std::initializer_list<DType> allowed) { return ops::infer_like_input(context, allowed); }

Status infer_broadcast(InferContext& context, std::initializer_list<DType> allowed, std::optional<DType> result) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, allowed));
  ValueType type{result ? result : dtype, std::nullopt};
  const SymbolicShape* a = ops::shape_of(context, 0);
  const SymbolicShape* b = ops::shape_of(context, 1);
  if (a != nullptr && b != nullptr) {
    MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 1), type.shape, ops::broadcast(*a, *b));
  }
  context.set_output(0, std::move(type));
  return {};
}

Result<std::int64_t> option_in(const Node& node, std::string_view name, std::int64_t fallback, std::int64_t low, std::int64_t high) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t value, int_attribute(node, name, fallback));
  if (value >= low && value <= high) return value;
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found {}, expected {} to {}", name, value, low, high));
}

Result<Dim> Slide::places(const Dim& extent) const {
  if (!extent.known()) return Dim{};
  const std::int64_t covered = same ? extent.value : extent.value - reach() + 1;
  const std::int64_t count = covered <= 0 ? 0 : (covered + stride - 1) / stride;
  if (count > 0) return Dim{count, {}};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("input 0: found extent {}, expected at least {} for the window", extent.value, same ? 1 : reach()));
}

std::int64_t Slide::before(std::int64_t extent, std::int64_t places) const {
  if (!same) return 0;
  return std::max<std::int64_t>((places - 1) * stride + reach() - extent, 0) / 2;
}

Result<Slides> slides_of(const Node& node, std::int64_t kernel_h, std::int64_t kernel_w) {
  constexpr std::int64_t kMost = (std::int64_t{1} << 20U) - 1;
  Slides slides;
  MORU_ASSIGN_OR_RETURN(const std::string padding, string_attribute(node, "padding", "SAME"));
  if (padding != "SAME" && padding != "VALID")
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'padding': found '{:.20}', expected SAME or VALID", padding));
  if (kernel_h < 1 || kernel_h > kMost || kernel_w < 1 || kernel_w > kMost)
    return fail(ErrorCode::kInvalidArgument, fmt::format("found a window of {} x {}, expected 1 to {}", kernel_h, kernel_w, kMost));
  slides.h.same = slides.w.same = padding == "SAME";
  slides.h.kernel = kernel_h;
  slides.w.kernel = kernel_w;
  MORU_ASSIGN_OR_RETURN(slides.h.stride, option_in(node, "stride_h", 1, 1, kMost));
  MORU_ASSIGN_OR_RETURN(slides.w.stride, option_in(node, "stride_w", 1, 1, kMost));
  MORU_ASSIGN_OR_RETURN(slides.h.dilation, option_in(node, "dilation_h_factor", 1, 1, kMost));
  MORU_ASSIGN_OR_RETURN(slides.w.dilation, option_in(node, "dilation_w_factor", 1, 1, kMost));
  return slides;
}

}  // namespace moru::model::tflite_ops
