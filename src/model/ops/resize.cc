// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"
#include "model/ops/support/resample.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "any shape; numbers, or any type in mode nearest"},
                                {"roi", "float [2 * axes], starts and then ends in parts of each axis; for tf_crop_and_resize only", true},
                                {"scales", "float32 [axes], output per input", true},
                                {"sizes", "int64 [axes], the output's extents; instead of scales", true}};
constexpr PortSpec kOutputs[] = {{"Y", "as X but for the extents on axes"}};
constexpr AttributeSpec kAttributes[] = {
    {"antialias", AttributeKind::kInt, "1: linear and cubic use a wider kernel where an axis shrinks; 0"},
    {"axes", AttributeKind::kInts, "the axes that roi, scales and sizes are about; all"},
    {"coordinate_transformation_mode", AttributeKind::kString,
     "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric or tf_crop_and_resize; half_pixel"},
    {"cubic_coeff_a", AttributeKind::kFloat, "of the cubic kernel; -0.75"},
    {"exclude_outside", AttributeKind::kInt, "1: taps outside weigh nothing; 0: the border is repeated; 0"},
    {"extrapolation_value", AttributeKind::kFloat, "for places outside, in tf_crop_and_resize; 0"},
    {"keep_aspect_ratio_policy", AttributeKind::kString, "of sizes: stretch (taken as they are), not_larger or not_smaller; stretch"},
    {"mode", AttributeKind::kString, "nearest, linear or cubic; nearest"},
    {"nearest_mode", AttributeKind::kString, "round_prefer_floor, round_prefer_ceil, floor or ceil; round_prefer_floor"}};
constexpr OpExample kExamples[] = {{"Twice as wide, between the pixels", R"(graph "resize" {
  init x = float32[1, 1, 1, 2] {1, 3}
  init scales = float32[4] {1, 1, 1, 2}
  y = Resize(x, _, scales) {mode = "linear"}
  output y
})",
                                    "float32[1, 1, 1, 4] {1, 1.5, 2.5, 3}"},
                                   {"To a size, by the nearest pixel", R"(graph "nearest" {
  init x = uint8[2, 2] {1, 2, 3, 4}
  init sizes = int64[1] {3}
  y = Resize(x, _, _, sizes) {axes = [1]}
  output y
})",
                                    "uint8[2, 3] {1, 1, 2, 3, 3, 4}"}};

// Opset 11 left inputs out by making them empty.
bool is_given(const InferContext& context, std::size_t index) {
  const SymbolicShape* shape = ops::shape_of(context, index);
  return context.has_input(index) && !(shape != nullptr && *shape == SymbolicShape{{0, {}}});
}

Result<std::vector<std::size_t>> axes_of(const Node& node, std::size_t rank) {
  MORU_ASSIGN_OR_RETURN(const auto axes, ints_attribute(node, "axes", ops::all_axes(rank)));
  return ops::normalize_axes(axes, rank);
}

Status check_length(const InferContext& context, std::size_t index, std::size_t expected) {
  const SymbolicShape* shape = ops::shape_of(context, index);
  if (!is_given(context, index) || shape == nullptr) return {};
  if (shape->size() == 1 && ops::merge((*shape)[0], Dim{static_cast<std::int64_t>(expected), {}})) return {};
  return ops::input_error(context, index, fmt::format("found shape {}, expected [{}]", to_string(*shape), expected));
}

/// The one scale that makes sizes fit while their ratio stays.
double common_scale(std::span<const std::int64_t> sizes, std::span<const std::size_t> axes, const Dims& x, bool larger) {
  double scale = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const double one = static_cast<double>(sizes[i]) / static_cast<double>(x[axes[i]]);
    scale = i == 0 ? one : (larger ? std::max(scale, one) : std::min(scale, one));
  }
  return scale;
}

/// The changes of all axes, of known extents.
Result<std::vector<ops::AxisResize>> resizes_of(const Node& node, const Dims& x, std::span<const float> scales,
                                                std::span<const std::int64_t> sizes) {
  MORU_ASSIGN_OR_RETURN(const auto axes, axes_of(node, x.size()));
  MORU_ASSIGN_OR_RETURN(const std::string policy, string_attribute(node, "keep_aspect_ratio_policy", "stretch"));
  std::vector<ops::AxisResize> result;
  for (const std::int64_t extent : x) result.push_back({.in = extent, .out = extent, .length = static_cast<double>(extent)});
  const double common = policy == "stretch" || sizes.empty() ? 0 : common_scale(sizes, axes, x, policy == "not_smaller");
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ops::AxisResize& axis = result[axes[i]];
    const auto in = static_cast<double>(axis.in);
    if (!scales.empty()) {
      MORU_ASSIGN_OR_RETURN(axis.out, ops::scaled_extent(axis.in, scales[i]));
      axis.scale = static_cast<double>(scales[i]);
      axis.length = axis.scale * in;
    } else if (policy == "stretch") {
      axis.out = sizes[i];
      axis.scale = static_cast<double>(sizes[i]) / in;
      axis.length = static_cast<double>(sizes[i]);
    } else {
      axis.scale = common;
      axis.length = common * in;
      if (!(axis.length < static_cast<double>(ops::kMaxExtent))) {
        return fail(ErrorCode::kResourceExhausted,
                    fmt::format("input 3 (sizes): found an extent of {}, expected less than 2^40", axis.length));
      }
      axis.out = static_cast<std::int64_t>(std::floor(axis.length + 0.5));
    }
    if (axis.in == 0 && axis.out != 0) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("input 0 (X): found an extent of 0 on axis {}, expected something to resize", axes[i]));
    }
  }
  return result;
}

Status check_attributes(const InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const ops::Resampling how, ops::read_resampling(context.node()));
  MORU_ASSIGN_OR_RETURN(const std::string policy, string_attribute(context.node(), "keep_aspect_ratio_policy", "stretch"));
  constexpr std::array<std::string_view, 3> kPolicies = {"stretch", "not_larger", "not_smaller"};
  if (std::ranges::find(kPolicies, policy) == kPolicies.end()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("attribute 'keep_aspect_ratio_policy': found '{:.40}', expected stretch, not_larger or not_smaller", policy));
  }
  if (how.coordinates == ops::Coordinates::kTfCropAndResize && !is_given(context, 1)) {
    return ops::input_error(context, 1, "found none, expected one for tf_crop_and_resize");
  }
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kFloats));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, ops::kFloatOnly));
  if (is_given(context, 2) == is_given(context, 3)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} of inputs 2 (scales) and 3 (sizes), expected one of them",
                                                         is_given(context, 2) ? "both" : "neither"));
  }
  const auto dtype = context.input(0).dtype;
  if (!dtype || how.interpolation == ops::Interpolation::kNearest) return ops::expect_movable(context, 0);
  return ops::expect_dtype(context, 0, ops::kNumbers);
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(check_attributes(context));
  MORU_ASSIGN_OR_RETURN(const auto sizes, ops::constant_ints(context, 3));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr) {
    context.set_output(0, {context.input(0).dtype, std::nullopt});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(const auto axes, axes_of(context.node(), x->size()));
  MORU_RETURN_IF_ERROR(check_length(context, 1, 2 * axes.size()));
  for (const std::size_t index : {2U, 3U}) MORU_RETURN_IF_ERROR(check_length(context, index, axes.size()));
  const bool has_scales = is_given(context, 2) && context.constant(2) != nullptr;
  const bool has_sizes = is_given(context, 3) && sizes;
  SymbolicShape y = *x;
  if (!has_scales && !has_sizes) {
    for (const std::size_t axis : axes) y[axis] = {};
    context.set_output(0, {context.input(0).dtype, std::move(y)});
    return {};
  }
  const auto scales = has_scales ? context.constant(2)->data<float>() : std::span<const float>();
  if (has_sizes) MORU_RETURN_IF_ERROR(ops::check_extents(*sizes, ops::input_label(context, 3)));
  // An unknown extent stands in as 1; what depends on it stays unknown, but for a scale of 1.
  MORU_ASSIGN_OR_RETURN(const std::string policy, string_attribute(context.node(), "keep_aspect_ratio_policy", "stretch"));
  const bool all_known = std::ranges::all_of(axes, [&](std::size_t axis) { return (*x)[axis].known(); });
  Dims dims;
  for (const Dim& dim : *x) dims.push_back(dim.known() ? dim.value : 1);
  MORU_ASSIGN_OR_RETURN(
      const auto resizes,
      resizes_of(context.node(), dims, scales, has_sizes ? std::span<const std::int64_t>(*sizes) : std::span<const std::int64_t>()));
  for (const std::size_t axis : axes) {
    const bool is_fixed = has_sizes && policy == "stretch";
    const bool is_certain = is_fixed || (has_sizes ? all_known : (*x)[axis].known());
    const bool stays = has_scales && resizes[axis].scale == 1;
    if (!stays) y[axis] = is_certain ? Dim{resizes[axis].out, {}} : Dim{};
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const ops::Resampling how, ops::read_resampling(context.node));
  MORU_ASSIGN_OR_RETURN(const auto resizes, ops::read_resizes(context.node, x.dims(), context.inputs));
  return ops::resample(x, resizes, how, context.outputs[0]);
}

/// tf_half_pixel_for_nn was (i + 0.5) / scale without the half that half_pixel then takes away: another rounding says the same.
Status upgrade_tf_half_pixel(NodeRewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::string mode, string_attribute(rewrite.node, "mode", "nearest"));
  MORU_ASSIGN_OR_RETURN(const std::string rounding, string_attribute(rewrite.node, "nearest_mode", "round_prefer_floor"));
  if (mode != "nearest" || (rounding != "floor" && rounding != "round_prefer_floor")) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("attribute 'coordinate_transformation_mode': found tf_half_pixel_for_nn with {} and {:.40}, "
                            "expected nearest and floor or round_prefer_floor",
                            mode, rounding));
  }
  auto& attributes = rewrite.node.attributes;
  attributes.insert_or_assign("coordinate_transformation_mode", std::string("half_pixel"));
  attributes.insert_or_assign("nearest_mode", std::string(rounding == "floor" ? "round_prefer_ceil" : "ceil"));
  return {};
}

/// Opset 10 had scales as input 1, and rounded i / scale down.
Status upgrade(NodeRewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::string coordinates, string_attribute(rewrite.node, "coordinate_transformation_mode", ""));
  if (coordinates == "tf_half_pixel_for_nn") MORU_RETURN_IF_ERROR(upgrade_tf_half_pixel(rewrite));
  if (rewrite.opset >= 11) return {};
  const ValueId scales = ops::input_of(rewrite, 1);
  ops::set_input(rewrite, 1, kNoValue);
  ops::set_input(rewrite, 2, scales);
  rewrite.node.attributes.insert_or_assign("coordinate_transformation_mode", std::string("asymmetric"));
  rewrite.node.attributes.insert_or_assign("nearest_mode", std::string("floor"));
  return {};
}

/// Numbers of some axes become numbers of all; `others` are those of the axes that are not named.
template <class T>
Status spread_input(NodeRewrite& rewrite, std::size_t index, std::span<const std::size_t> axes, std::vector<T> others) {
  if (ops::input_of(rewrite, index) == kNoValue) return {};
  const Tensor* given = ops::constant_of(rewrite, index);
  const std::size_t groups = axes.empty() ? 0 : (given == nullptr ? 0 : static_cast<std::size_t>(given->count()) / axes.size());
  const std::size_t rank = index == 1 ? others.size() / 2 : others.size();
  if (given == nullptr || given->dtype() != DTypeOf<T>::value || groups * rank != others.size()) {
    return ops::not_in_opset(rewrite, "Resize with axes and numbers that are computed");
  }
  const auto values = given->data<T>();
  for (std::size_t i = 0; i < groups * axes.size(); ++i) others[i / axes.size() * rank + axes[i % axes.size()]] = values[i];
  ops::set_input(rewrite, index, ops::add_constant(rewrite, "resize", Tensor::of<T>({std::ssize(others)}, std::span<const T>(others))));
  return {};
}

/// antialias, axes and keep_aspect_ratio_policy came with opset 18.
Status downgrade_axes(NodeRewrite& rewrite) {
  MORU_RETURN_IF_ERROR(ops::drop_default(rewrite, "antialias", std::int64_t{0}));
  MORU_RETURN_IF_ERROR(ops::drop_default(rewrite, "keep_aspect_ratio_policy", std::string("stretch")));
  if (!rewrite.node.attributes.contains("axes")) return {};
  const SymbolicShape* x = ops::shape_of(rewrite, 0);
  if (x == nullptr) return ops::not_in_opset(rewrite, "Resize with axes of an unknown rank");
  MORU_ASSIGN_OR_RETURN(const auto axes, axes_of(rewrite.node, x->size()));
  std::vector<float> roi(2 * x->size(), 0);
  std::fill(roi.begin() + std::ssize(*x), roi.end(), 1.0F);
  std::vector<std::int64_t> sizes;
  for (const Dim& dim : *x) sizes.push_back(dim.value);
  for (const std::size_t axis : axes) sizes[axis] = 0;
  if (ops::input_of(rewrite, 3) != kNoValue && std::ranges::find(sizes, -1) != sizes.end()) {
    return ops::not_in_opset(rewrite, "Resize with sizes of some axes beside unknown ones");
  }
  const std::vector<float> ones(x->size(), 1.0F);
  MORU_RETURN_IF_ERROR(spread_input<float>(rewrite, 1, axes, std::move(roi)));
  MORU_RETURN_IF_ERROR(spread_input<float>(rewrite, 2, axes, ones));
  MORU_RETURN_IF_ERROR(spread_input<std::int64_t>(rewrite, 3, axes, std::move(sizes)));
  ops::drop_attribute(rewrite, "axes");
  return {};
}

Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 19) return {};
  MORU_ASSIGN_OR_RETURN(const std::string coordinates, string_attribute(rewrite.node, "coordinate_transformation_mode", ""));
  if (coordinates == "half_pixel_symmetric") return ops::not_in_opset(rewrite, "Resize with half_pixel_symmetric");
  return rewrite.opset >= 18 ? Status() : downgrade_axes(rewrite);
}

}  // namespace

Result<std::vector<ops::AxisResize>> ops::read_resizes(const Node& node, const Dims& x, std::span<const Tensor* const> inputs) {
  const auto is_given = [&](std::size_t index) { return index < inputs.size() && inputs[index] != nullptr && inputs[index]->count() > 0; };
  const auto scales = is_given(2) ? inputs[2]->data<float>() : std::span<const float>();
  const auto sizes = is_given(3) ? inputs[3]->data<std::int64_t>() : std::span<const std::int64_t>();
  MORU_ASSIGN_OR_RETURN(auto resizes, resizes_of(node, x, scales, sizes));
  MORU_ASSIGN_OR_RETURN(const Resampling how, read_resampling(node));
  if (how.coordinates != Coordinates::kTfCropAndResize) return resizes;
  MORU_ASSIGN_OR_RETURN(const auto axes, axes_of(node, x.size()));
  MORU_RETURN_IF_ERROR(for_float_dtype(inputs[1]->dtype(), [&]<class T>() -> Status {
    const auto roi = inputs[1]->data<T>();
    for (std::size_t i = 0; i < axes.size(); ++i) {
      resizes[axes[i]].roi_start = widen(roi[i]);
      resizes[axes[i]].roi_end = widen(roi[axes.size() + i]);
    }
    return {};
  }));
  return resizes;
}

extern const OpSpec kOp_resize;
const OpSpec kOp_resize{
    .name = "Resize",
    .domain = "",
    .since = 10,
    .doc =
        "Another size by resampling, axis by axis: each element of Y is the nearest one of X, or a sum of its neighbours "
        "weighted by a linear or cubic kernel. The extents are floor(extent * scale), or sizes.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = upgrade,
    .downgrade = downgrade};

}  // namespace moru::model
