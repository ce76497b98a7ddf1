// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"
#include "model/ops/support/rewrite.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type and shape"},
                                {"pads", "int64 [2 * axes]: elements before each axis, then after each; negative numbers cut off"},
                                {"constant_value", "scalar of data's type; 0", true},
                                {"axes", "int32 or int64 [axes], the axes that pads is about; all", true}};
constexpr PortSpec kOutputs[] = {{"output", "extent + before + after on each axis"}};
constexpr AttributeSpec kAttributes[] = {
    {"mode", AttributeKind::kString,
     "constant; edge: the border again; reflect: mirrored at the border, which stays single; wrap: from the other end; constant"}};
constexpr OpExample kExamples[] = {{"A column of 9 in front", R"(graph "pad" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init pads = int64[4] {0, 1, 0, 0}
  init nine = float32[] {9}
  y = Pad(x, pads, nine)
  output y
})",
                                    "float32[2, 3] {9, 1, 2, 9, 3, 4}"},
                                   {"Mirrored on the last axis", R"(graph "mirrored" {
  init x = int8[1, 3] {1, 2, 3}
  init pads = int64[2] {2, 1}
  init axes = int64[1] {-1}
  y = Pad(x, pads, _, axes) {mode = "reflect"}
  output y
})",
                                    "int8[1, 6] {3, 2, 1, 2, 3, 2}"}};

/// What is put before and after each axis.
struct Pads {
  std::vector<std::int64_t> before;
  std::vector<std::int64_t> after;
};

Result<Pads> pads_of(std::span<const std::int64_t> pads, std::span<const std::int64_t> given_axes, std::size_t rank) {
  MORU_ASSIGN_OR_RETURN(const auto axes, ops::normalize_axes(given_axes, rank));
  if (pads.size() != 2 * axes.size()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("input 1 (pads): found {} numbers, expected {}, two an axis", pads.size(), 2 * axes.size()));
  }
  Pads result{std::vector<std::int64_t>(rank, 0), std::vector<std::int64_t>(rank, 0)};
  for (std::size_t i = 0; i < pads.size(); ++i) {
    if (pads[i] < -ops::kMaxExtent || pads[i] > ops::kMaxExtent) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("input 1 (pads): found {}, expected -2^40 to 2^40", pads[i]));
    }
    const bool is_before = i < axes.size();
    (is_before ? result.before : result.after)[axes[is_before ? i : i - axes.size()]] = pads[i];
  }
  return result;
}

Result<std::string> mode_of(const Node& node) {
  MORU_ASSIGN_OR_RETURN(std::string mode, string_attribute(node, "mode", "constant"));
  if (mode == "constant" || mode == "edge" || mode == "reflect" || mode == "wrap") return mode;
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'mode': found '{:.40}', expected constant, edge, reflect or wrap", mode));
}

Result<Dim> padded(const InferContext& context, const Dim& extent, std::int64_t before, std::int64_t after, std::size_t axis,
                   bool is_constant) {
  if (before == 0 && after == 0) return extent;
  if (!extent.known()) return Dim{};
  const std::int64_t padded = extent.value + before + after;
  if (padded < 0) {
    return ops::input_error(
        context, 1, fmt::format("found {} and {} on axis {}, expected to cut no more than its {}", before, after, axis, extent.value));
  }
  // What the other modes repeat must be there after cutting.
  if (!is_constant && padded > 0 && extent.value + std::min<std::int64_t>(before, 0) + std::min<std::int64_t>(after, 0) < 1) {
    return ops::input_error(
        context, 1, fmt::format("found {} and {} on axis {} of {}, expected an element to repeat", before, after, axis, extent.value));
  }
  return Dim{padded, {}};
}

Status check_fill(const InferContext& context) {
  const auto dtype = context.input(0).dtype;
  const auto fill = context.input(2).dtype;
  if (dtype && fill && *dtype != *fill) {
    return ops::input_error(context, 2, fmt::format("found {}, expected {} as of data", to_string(*fill), to_string(*dtype)));
  }
  return ops::expect_single_element(context, 2);
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const std::string mode, mode_of(context.node()));
  MORU_RETURN_IF_ERROR(check_fill(context));
  MORU_ASSIGN_OR_RETURN(const auto pads, ops::constant_ints(context, 1));
  MORU_ASSIGN_OR_RETURN(const auto given_axes, ops::constant_indices(context, 3));
  const auto dtype = context.input(0).dtype;
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr || !pads || (context.has_input(3) && !given_axes)) {
    context.set_output(0, {dtype, x == nullptr ? std::nullopt : std::optional(SymbolicShape(x->size()))});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(const Pads all, pads_of(*pads, given_axes ? *given_axes : ops::all_axes(x->size()), x->size()));
  SymbolicShape y(x->size());
  for (std::size_t axis = 0; axis < y.size(); ++axis) {
    MORU_ASSIGN_OR_RETURN(y[axis], padded(context, (*x)[axis], all.before[axis], all.after[axis], axis, mode == "constant"));
  }
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

std::int64_t modulo(std::int64_t a, std::int64_t b) { return (a % b + b) % b; }

/// Which element of an axis stands at each place of the padded axis; -1 for the constant. Cutting comes before repeating.
std::vector<std::int64_t> sources(std::string_view mode, std::int64_t extent, std::int64_t before, std::int64_t after,
                                  std::int64_t padded) {
  const std::int64_t first = std::max<std::int64_t>(-before, 0);
  const std::int64_t kept = extent - first - std::max<std::int64_t>(-after, 0);
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < padded; ++i) {
    const std::int64_t at = i - std::max<std::int64_t>(before, 0);
    if (mode == "constant") {
      const std::int64_t from = i - before;
      result.push_back(from >= 0 && from < extent ? from : -1);
    } else if (mode == "edge") {
      result.push_back(first + std::clamp<std::int64_t>(at, 0, kept - 1));
    } else if (mode == "wrap" || kept == 1) {
      result.push_back(first + modulo(at, kept));
    } else {
      const std::int64_t there = modulo(at, 2 * (kept - 1));
      result.push_back(first + std::min(there, 2 * (kept - 1) - there));
    }
  }
  return result;
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const std::string mode, mode_of(context.node));
  const auto axes = context.has_input(3) ? ops::to_ints(context.input(3)) : ops::all_axes(x.rank());
  MORU_ASSIGN_OR_RETURN(const Pads pads, pads_of(context.input(1).data<std::int64_t>(), axes, x.rank()));
  std::vector<std::vector<std::int64_t>> from;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    from.push_back(sources(mode, x.dims()[axis], pads.before[axis], pads.after[axis], y.dims()[axis]));
  }
  const auto strides = ops::strides_of(x.dims());
  if (context.has_input(2)) ops::fill(context.input(2), y);
  ops::gather_elements(x, y, [&](std::span<const std::int64_t> index) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
      const std::int64_t at = from[axis][static_cast<std::size_t>(index[axis])];
      if (at < 0) return std::int64_t{-1};
      offset += at * strides[axis];
    }
    return offset;
  });
  return {};
}

/// The value in the type of the data, which was a float in those opsets.
Tensor scalar_of(DType dtype, float value) {
  if (dtype == DType::kFloat64) return Tensor::scalar(static_cast<double>(value));
  if (dtype == DType::kFloat16) return Tensor::scalar(Float16(value));
  if (dtype == DType::kBFloat16) return Tensor::scalar(BFloat16(value));
  return Tensor::scalar(value);
}

/// Before opset 11 pads ("paddings" in opset 1) and value were attributes.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 11) return {};
  MORU_RETURN_IF_ERROR(ops::attribute_to_input(rewrite, rewrite.opset < 2 ? "paddings" : "pads", 1));
  MORU_ASSIGN_OR_RETURN(const float value, float_attribute(rewrite.node, "value", 0.0F));
  ops::drop_attribute(rewrite, "value");
  if (value == 0.0F) return {};
  const ValueId data = ops::input_of(rewrite, 0);
  const auto dtype = data == kNoValue ? std::nullopt : rewrite.graph.value(data).type.dtype;
  ops::set_input(rewrite, 2, ops::add_constant(rewrite, "value", scalar_of(dtype.value_or(DType::kFloat32), value)));
  return {};
}

/// axes came with opset 18, wrap with 19. Pads of some axes become pads of all where they are constants.
Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 19) return {};
  MORU_ASSIGN_OR_RETURN(const std::string mode, mode_of(rewrite.node));
  if (mode == "wrap") return ops::not_in_opset(rewrite, "Pad with mode 'wrap'");
  if (rewrite.opset >= 18 || ops::input_of(rewrite, 3) == kNoValue) return {};
  const Tensor* pads = ops::constant_of(rewrite, 1);
  const Tensor* axes = ops::constant_of(rewrite, 3);
  const SymbolicShape* x = ops::shape_of(rewrite, 0);
  if (pads == nullptr || axes == nullptr || x == nullptr) return ops::not_in_opset(rewrite, "Pad with axes that are computed");
  MORU_ASSIGN_OR_RETURN(Pads all, pads_of(ops::to_ints(*pads), ops::to_ints(*axes), x->size()));
  all.before.insert(all.before.end(), all.after.begin(), all.after.end());
  ops::set_input(rewrite, 1, ops::add_ints(rewrite, "pads", all.before));
  ops::set_input(rewrite, 3, kNoValue);
  return {};
}

}  // namespace

extern const OpSpec kOp_pad;
const OpSpec kOp_pad{.name = "Pad",
                     .domain = "",
                     .since = 1,
                     .doc =
                         "Puts something around a tensor of any type, or cuts off its borders (first). data [d0, ..., dn] -> "
                         "output [before0 + d0 + after0, ...].",
                     .inputs = kInputs,
                     .outputs = kOutputs,
                     .attributes = kAttributes,
                     .infer = infer,
                     .reference = reference,
                     .examples = kExamples,
                     .upgrade = upgrade,
                     .downgrade = downgrade};

}  // namespace moru::model
