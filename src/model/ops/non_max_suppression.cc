// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/ops/support/indices.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"boxes", "float32 [N, B, 4]: two corners (y, x, y, x), or centre and size"},
                                {"scores", "float32 [N, C, B]"},
                                {"max_output_boxes_per_class", "int64 scalar; 0: none", true},
                                {"iou_threshold", "float32 scalar, 0 to 1: boxes that overlap a better one by more go; 0", true},
                                {"score_threshold", "float32 scalar: boxes whose score is not above it go; all stay", true}};
constexpr PortSpec kOutputs[] = {{"selected_indices", "int64 [n, 3]: image, class and box, by image, class and falling score"}};
constexpr AttributeSpec kAttributes[] = {
    {"center_point_box", AttributeKind::kInt, "1: a box is (x centre, y centre, width, height); 0: any two opposite corners; 0"}};
constexpr OpExample kExamples[] = {{"The second box overlaps the first, better one", R"(graph "nms" {
  init boxes = float32[1, 3, 4] {0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, 10, 1, 11}
  init scores = float32[1, 1, 3] {0.9, 0.75, 0.6}
  init most = int64[] {3}
  init iou = float32[] {0.5}
  y = NonMaxSuppression(boxes, scores, most, iou)
  output y
})",
                                    "int64[2, 3] {0, 0, 0, 0, 0, 2}"}};

Status infer(InferContext& context) {
  for (const std::size_t i : {0U, 1U, 3U, 4U}) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kFloatOnly));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, {DType::kInt64}));
  for (const std::size_t i : {2U, 3U, 4U}) MORU_RETURN_IF_ERROR(ops::expect_single_element(context, i));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 3, "[N, B, 4]"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 3, "[N, C, B]"));
  if (const SymbolicShape* boxes = ops::shape_of(context, 0)) {
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 0, 2, Dim{4, {}}, "the numbers of a box"));
    if (ops::shape_of(context, 1) != nullptr) {
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, 0, (*boxes)[0], "as boxes"));
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, 2, (*boxes)[1], "a score a box"));
    }
  }
  context.set_output(0, {DType::kInt64, SymbolicShape{Dim{}, Dim{3, {}}}});
  return {};
}

struct Box {
  double top, left, bottom, right;
  double area() const { return (bottom - top) * (right - left); }
};

Box box_of(std::span<const float> numbers, bool is_centre) {
  const auto at = [&](std::size_t i) { return static_cast<double>(numbers[i]); };
  if (is_centre) return {at(1) - at(3) / 2, at(0) - at(2) / 2, at(1) + at(3) / 2, at(0) + at(2) / 2};
  return {std::min(at(0), at(2)), std::min(at(1), at(3)), std::max(at(0), at(2)), std::max(at(1), at(3))};
}

/// Area of what two boxes share, as a part of what they cover; 0 for boxes without area.
double overlap(const Box& a, const Box& b) {
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (!(height > 0) || !(width > 0) || !(a.area() > 0) || !(b.area() > 0)) return 0;
  return height * width / (a.area() + b.area() - height * width);
}

struct Limits {
  std::int64_t most = 0;
  double iou = 0;
  std::optional<float> score;
};

/// Indices of the boxes that stay, best first; of equal scores the first.
std::vector<std::int64_t> select(std::span<const Box> boxes, std::span<const float> scores, const Limits& limits) {
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] == scores[i] && (!limits.score || scores[i] > *limits.score)) order.push_back(static_cast<std::int64_t>(i));
  }
  std::ranges::sort(order, [&](std::int64_t a, std::int64_t b) {
    const float of_a = scores[static_cast<std::size_t>(a)];
    const float of_b = scores[static_cast<std::size_t>(b)];
    return of_a != of_b ? of_a > of_b : a < b;
  });
  std::vector<std::int64_t> kept;
  for (const std::int64_t one : order) {
    if (std::ssize(kept) >= limits.most) break;
    const Box& box = boxes[static_cast<std::size_t>(one)];
    const bool is_covered =
        std::ranges::any_of(kept, [&](std::int64_t other) { return overlap(box, boxes[static_cast<std::size_t>(other)]) > limits.iou; });
    if (!is_covered) kept.push_back(one);
  }
  return kept;
}

Result<Limits> limits_of(const EvalContext& context) {
  Limits limits;
  if (context.has_input(2)) limits.most = context.input(2).data<std::int64_t>()[0];
  if (context.has_input(3)) limits.iou = static_cast<double>(context.input(3).data<float>()[0]);
  if (context.has_input(4)) limits.score = context.input(4).data<float>()[0];
  if (limits.iou >= 0 && limits.iou <= 1) return limits;
  return fail(ErrorCode::kInvalidArgument, fmt::format("input 3 (iou_threshold): found {}, expected 0 to 1", limits.iou));
}

Status reference(EvalContext& context) {
  const Dims& dims = context.input(1).dims();  // [N, C, B]
  const auto boxes = context.input(0).data<float>();
  const auto scores = context.input(1).data<float>();
  MORU_ASSIGN_OR_RETURN(const std::int64_t is_centre, int_attribute(context.node, "center_point_box", 0));
  MORU_ASSIGN_OR_RETURN(const Limits limits, limits_of(context));
  const auto count = static_cast<std::size_t>(dims[2]);
  const std::int64_t images = context.input(1).count() == 0 ? 0 : dims[0];
  std::vector<std::int64_t> selected;
  for (std::int64_t n = 0; n < images; ++n) {
    std::vector<Box> of_image;
    for (std::size_t i = 0; i < count; ++i) {
      of_image.push_back(box_of(boxes.subspan((static_cast<std::size_t>(n) * count + i) * 4, 4), is_centre != 0));
    }
    for (std::int64_t c = 0; c < dims[1]; ++c) {
      for (const std::int64_t box : select(of_image, scores.subspan(static_cast<std::size_t>(n * dims[1] + c) * count, count), limits)) {
        selected.insert(selected.end(), {n, c, box});
      }
    }
  }
  context.outputs[0] = Tensor::of<std::int64_t>({std::ssize(selected) / 3, 3}, std::span<const std::int64_t>(selected));
  return {};
}

}  // namespace

extern const OpSpec kOp_non_max_suppression;
const OpSpec kOp_non_max_suppression{
    .name = "NonMaxSuppression",
    .domain = "",
    .since = 10,
    .doc =
        "Of boxes that overlap, the one with the best score: for each image and class, boxes by falling score, "
        "each kept if its overlap (shared area / covered area) with none kept before is above iou_threshold.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
