// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"begin", "[n], int32"}, {"end", "[n], int32"}, {"strides", "[n], int32"}};
constexpr PortSpec kOutputs[] = {{"output", "what was cut"}};
constexpr AttributeSpec kAttributes[] = {{"begin_mask", AttributeKind::kInt, "bit i: from the start of axis i"},
                                         {"end_mask", AttributeKind::kInt, "bit i: to the end of axis i"},
                                         {"ellipsis_mask", AttributeKind::kInt, "bit i: entry i stands for as many whole axes as are left"},
                                         {"new_axis_mask", AttributeKind::kInt, "bit i: entry i is a new axis of extent 1"},
                                         {"shrink_axis_mask", AttributeKind::kInt, "bit i: only the first element, and the axis goes"},
                                         {"offset", AttributeKind::kInt, "1: end counts from begin"}};
constexpr OpExample kExamples[] = {{"Every second from the end", R"(graph "strided_slice" {
  init x = float32[4] {1, 2, 3, 4}
  init b = int32[1] {-1}
  init e = int32[1] {0}
  init s = int32[1] {-2}
  y: float32[2] = tflite::STRIDED_SLICE(x, b, e, s)
  output y
})",
                                    "float32[2] {4, 2}"}};

/// What is taken of one axis of the input, or a new axis.
struct Entry {
  std::optional<std::size_t> axis;
  std::int64_t begin = 0;
  std::int64_t stride = 1;
  Dim extent{1, {}};
  bool shrink = false;
};
struct Cut {
  std::vector<Entry> entries;
  SymbolicShape shape;
};

struct Masks {
  std::int64_t begin = 0, end = 0, ellipsis = 0, added = 0, shrink = 0, offset = 0;
};

Result<Masks> masks_of(const Node& node) {
  Masks masks;
  MORU_ASSIGN_OR_RETURN(masks.begin, int_attribute(node, "begin_mask", 0));
  MORU_ASSIGN_OR_RETURN(masks.end, int_attribute(node, "end_mask", 0));
  MORU_ASSIGN_OR_RETURN(masks.ellipsis, int_attribute(node, "ellipsis_mask", 0));
  MORU_ASSIGN_OR_RETURN(masks.added, int_attribute(node, "new_axis_mask", 0));
  MORU_ASSIGN_OR_RETURN(masks.shrink, int_attribute(node, "shrink_axis_mask", 0));
  MORU_ASSIGN_OR_RETURN(masks.offset, int_attribute(node, "offset", 0));
  return masks;
}

bool has(std::int64_t mask, std::size_t bit) { return (mask >> bit & 1) != 0; }

/// One entry of begin, end and strides on one axis of `extent` elements.
Result<Entry> entry_of(const Masks& masks, std::size_t i, std::size_t axis, const Dim& extent, std::int64_t begin, std::int64_t end,
                       std::int64_t stride) {
  Entry entry{axis, 0, stride, Dim{}, has(masks.shrink, i)};
  if (stride == 0) return fail(ErrorCode::kInvalidArgument, fmt::format("input 3 (strides): found 0 at {}, expected another number", i));
  if (!extent.known()) {
    if (entry.shrink) entry.extent = Dim{1, {}};
    return entry;
  }
  const std::int64_t low = stride > 0 ? 0 : -1;
  const std::int64_t high = stride > 0 ? extent.value : extent.value - 1;
  const auto bounded = [&](std::int64_t at) { return std::clamp(at < 0 ? at + extent.value : at, low, high); };
  entry.begin = has(masks.begin, i) ? (stride > 0 ? low : high) : bounded(begin);
  if (entry.shrink) {
    if (begin < -extent.value || begin >= extent.value)
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("input 1 (begin): found {} at {}, expected {} to {}", begin, i, -extent.value, extent.value - 1));
    entry.begin = begin < 0 ? begin + extent.value : begin;
    entry.extent = Dim{1, {}};
    return entry;
  }
  if (masks.offset != 0) end += entry.begin;
  const std::int64_t stop = has(masks.end, i) ? (stride > 0 ? high : low) : bounded(end);
  const std::int64_t span = stride > 0 ? stop - entry.begin : entry.begin - stop;
  const std::int64_t step = stride > 0 ? stride : -stride;
  entry.extent = Dim{span <= 0 ? 0 : (span + step - 1) / step, {}};
  return entry;
}

Result<Cut> cut_of(const Node& node, const std::array<std::vector<std::int64_t>, 3>& lists, const SymbolicShape& x) {
  MORU_ASSIGN_OR_RETURN(const Masks masks, masks_of(node));
  const std::size_t count = lists[0].size();
  if (lists[1].size() != count || lists[2].size() != count || count > 62)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("found {}, {} and {} numbers in begin, end and strides, expected as many, at most 62", count, lists[1].size(),
                            lists[2].size()));
  std::size_t real = 0;
  for (std::size_t i = 0; i < count; ++i) real += has(masks.added, i) || has(masks.ellipsis, i) ? 0 : 1;
  if (real > x.size())
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("input 1 (begin): found numbers for {} axes, expected at most {}", real, x.size()));
  Cut cut;
  std::size_t axis = 0;
  const auto whole = [&](std::size_t many) {
    for (; many > 0; --many, ++axis) cut.entries.push_back({axis, 0, 1, x[axis], false});
  };
  for (std::size_t i = 0; i < count; ++i) {
    if (has(masks.ellipsis, i)) {
      whole(x.size() - real);
      real = x.size();
    } else if (has(masks.added, i)) {
      cut.entries.push_back({});
    } else if (axis < x.size()) {
      MORU_ASSIGN_OR_RETURN(Entry entry, entry_of(masks, i, axis, x[axis], lists[0][i], lists[1][i], lists[2][i]));
      cut.entries.push_back(std::move(entry));
      ++axis;
    }
  }
  whole(x.size() - axis);
  for (const Entry& entry : cut.entries) {
    if (!entry.shrink) cut.shape.push_back(entry.extent);
  }
  return cut;
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  for (std::size_t i = 1; i < 4; ++i) {
    MORU_ASSIGN_OR_RETURN(const auto known, ops::constant_indices(context, i));
    if (!known) return {};
  }
  if (x == nullptr) return {};
  std::array<std::vector<std::int64_t>, 3> lists;
  for (std::size_t i = 0; i < 3; ++i) lists[i] = ops::to_ints(*context.constant(i + 1));
  MORU_ASSIGN_OR_RETURN(const Cut cut, cut_of(context.node(), lists, *x));
  context.set_output(0, {context.input(0).dtype, cut.shape});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  std::array<std::vector<std::int64_t>, 3> lists;
  for (std::size_t i = 0; i < 3; ++i) lists[i] = ops::to_ints(context.input(i + 1));
  MORU_ASSIGN_OR_RETURN(const Cut cut, cut_of(context.node, lists, ops::to_shape(x.dims())));
  const auto strides = ops::strides_of(x.dims());
  std::int64_t start = 0;
  std::vector<std::int64_t> steps;
  for (const Entry& entry : cut.entries) {
    if (entry.axis) start += entry.begin * strides[*entry.axis];
    if (!entry.shrink) steps.push_back(entry.axis ? entry.stride * strides[*entry.axis] : 0);
  }
  ops::copy_strided(x, start, steps, context.outputs[0].dims(), context.outputs[0]);
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_strided_slice;
const OpSpec kOp_tflite_strided_slice{
    .name = "STRIDED_SLICE",
    .domain = "tflite",
    .since = 1,
    .doc =
        "Every strides[i]-th element from begin[i] to end[i] of each axis. Masks leave out begin or end, add axes, "
        "take axes away, or stand for whole ones.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
