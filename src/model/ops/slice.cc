// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type and shape"},
                                {"starts", "int32 or int64 [axes], first index on each axis; negative: from the end"},
                                {"ends", "[axes], behind the last index; what is beyond the axis means its end"},
                                {"axes", "[axes]; 0, 1, ...", true},
                                {"steps", "[axes], from index to index; negative: backwards; 1", true}};
constexpr PortSpec kOutputs[] = {{"output", "on each of axes the indices start, start + step, ... before end"}};
constexpr OpExample kExamples[] = {{"The last two columns", R"(graph "slice" {
  init x = int32[2, 3] {1, 2, 3, 4, 5, 6}
  init starts = int64[1] {-2}
  init ends = int64[1] {9223372036854775807}
  init axes = int64[1] {1}
  y = Slice(x, starts, ends, axes)
  output y
})",
                                    "int32[2, 2] {2, 3, 5, 6}"},
                                   {"Every second one, backwards", R"(graph "backwards" {
  init x = int32[5] {1, 2, 3, 4, 5}
  init starts = int64[1] {-1}
  init ends = int64[1] {-9223372036854775808}
  init axes = int64[1] {0}
  init steps = int64[1] {-2}
  y = Slice(x, starts, ends, axes, steps)
  output y
})",
                                    "int32[3] {5, 3, 1}"}};

struct Section {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};

Section section_of(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t extent) {
  // A step beyond the extent reaches one element, as the extent itself does; the sums below then fit.
  step = std::clamp(step, -std::max<std::int64_t>(extent, 1), std::max<std::int64_t>(extent, 1));
  const auto from_front = [&](std::int64_t at) { return at < 0 ? std::max<std::int64_t>(at + extent, -1) : at; };
  Section section{0, step, 0};
  if (step > 0) {
    section.start = std::clamp<std::int64_t>(from_front(start), 0, extent);
    const std::int64_t stop = std::clamp<std::int64_t>(from_front(end), 0, extent);
    section.count = std::max<std::int64_t>((stop - section.start + step - 1) / step, 0);
  } else {
    section.start = std::clamp<std::int64_t>(from_front(start), -1, extent - 1);
    const std::int64_t stop = std::clamp<std::int64_t>(from_front(end), -1, extent - 1);
    section.count = std::max<std::int64_t>((section.start - stop - step - 1) / -step, 0);
  }
  return section;
}

struct Request {
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> ends;
  std::vector<std::size_t> axes;
  std::vector<std::int64_t> steps;
};

Result<Request> request_of(std::vector<std::int64_t> starts, std::vector<std::int64_t> ends,
                           const std::optional<std::vector<std::int64_t>>& axes, const std::optional<std::vector<std::int64_t>>& steps,
                           std::size_t rank) {
  const std::size_t count = starts.size();
  if (ends.size() != count || (axes && axes->size() != count) || (steps && steps->size() != count)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} starts, {} ends, {} axes and {} steps, expected as many of each", count,
                                                         ends.size(), axes ? axes->size() : count, steps ? steps->size() : count));
  }
  MORU_ASSIGN_OR_RETURN(auto at, ops::normalize_axes(axes ? *axes : ops::all_axes(count), rank));
  Request request{std::move(starts), std::move(ends), std::move(at), steps ? *steps : std::vector<std::int64_t>(count, 1)};
  if (std::ranges::find(request.steps, 0) != request.steps.end()) {
    return fail(ErrorCode::kInvalidArgument, "input 4 (steps): found 0, expected another number");
  }
  return request;
}

/// Extent of a section of an axis whose extent is not known: only the whole axis, or nothing, is certain.
Dim section_extent(const Dim& extent, std::int64_t start, std::int64_t end, std::int64_t step) {
  if (extent.known()) return {section_of(start, end, step, extent.value).count, {}};
  const bool whole = step == 1 && start == 0 && end >= std::numeric_limits<std::int32_t>::max();
  return whole ? extent : Dim{};
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  std::vector<std::optional<std::vector<std::int64_t>>> given(5);
  bool all_known = true;
  for (std::size_t i = 1; i < 5; ++i) {
    MORU_ASSIGN_OR_RETURN(given[i], ops::constant_indices(context, i));
    all_known = all_known && (given[i] || !context.has_input(i));
  }
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr) {
    context.set_output(0, {context.input(0).dtype, std::nullopt});
    return {};
  }
  SymbolicShape y = *x;
  if (all_known) {
    MORU_ASSIGN_OR_RETURN(const Request request, request_of(*given[1], *given[2], given[3], given[4], x->size()));
    for (std::size_t i = 0; i < request.axes.size(); ++i) {
      Dim& dim = y[request.axes[i]];
      dim = section_extent(dim, request.starts[i], request.ends[i], request.steps[i]);
    }
  } else if (given[3]) {
    MORU_ASSIGN_OR_RETURN(const auto axes, ops::normalize_axes(*given[3], x->size()));
    for (const std::size_t axis : axes) y[axis] = {};
  } else {
    y = SymbolicShape(x->size());
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  const auto list = [&](std::size_t index) -> std::optional<std::vector<std::int64_t>> {
    if (!context.has_input(index)) return std::nullopt;
    return ops::to_ints(context.input(index));
  };
  MORU_ASSIGN_OR_RETURN(const Request request, request_of(*list(1), *list(2), list(3), list(4), x.rank()));
  auto strides = ops::strides_of(x.dims());
  std::int64_t start = 0;
  for (std::size_t i = 0; i < request.axes.size(); ++i) {
    const std::size_t axis = request.axes[i];
    const Section section = section_of(request.starts[i], request.ends[i], request.steps[i], x.dims()[axis]);
    start += section.start * strides[axis];
    strides[axis] *= section.step;
  }
  ops::copy_strided(x, start, strides, context.outputs[0].dims(), context.outputs[0]);
  return {};
}

/// Before opset 10 all but the data were attributes.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 10) return {};
  MORU_RETURN_IF_ERROR(ops::attribute_to_input(rewrite, "starts", 1));
  MORU_RETURN_IF_ERROR(ops::attribute_to_input(rewrite, "ends", 2));
  return ops::attribute_to_input(rewrite, "axes", 3);
}

}  // namespace

extern const OpSpec kOp_slice;
const OpSpec kOp_slice{.name = "Slice",
                       .domain = "",
                       .since = 1,
                       .doc =
                           "A part of a tensor: on each of axes the indices start, start + step, ... that lie before end (for a negative "
                           "step: behind it). Other axes are whole.",
                       .inputs = kInputs,
                       .outputs = kOutputs,
                       .attributes = {},
                       .infer = infer,
                       .reference = reference,
                       .examples = kExamples,
                       .upgrade = upgrade};

}  // namespace moru::model
