// SPDX-License-Identifier: Apache-2.0
// Ops that move elements, or that work along axes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/convert/rewrite.h"

namespace moru::model::convert {
namespace {

Result<std::int64_t> axis_of(const Rewrite& rewrite, std::int64_t fallback) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(rewrite.node, "axis", fallback));
  return axis < 0 ? axis + std::ssize(shape) : axis;
}

Status reshape(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.output()));
  if (std::ranges::count_if(shape, [](const Dim& dim) { return !dim.known(); }) > 1)
    return rewrite.unsupported(fmt::format("shape {}", to_string(shape)), "at most one unknown extent");
  rewrite.reshape_to(rewrite.input(0), rewrite.output());
  return {};
}

Status transpose(Rewrite& rewrite) {
  const auto perm = layout::permutation_of(rewrite.graph, rewrite.node);
  if (!perm) return rewrite.unsupported("a value of unknown rank", "a known rank");
  rewrite.transpose_to(rewrite.input(0), rewrite.output(), *perm);
  return {};
}

Status concat(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, axis_of(rewrite, 0));
  rewrite.add("CONCATENATION", rewrite.node.inputs, {rewrite.output()},
              {{"axis", axis}, {std::string(kActivation), std::string(kNoActivation)}});
  return {};
}

Status split(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, axis_of(rewrite, 0));
  std::vector<std::int64_t> sizes;
  for (const ValueId id : rewrite.node.outputs) {
    if (id == kNoValue) return rewrite.unsupported("an output that is left out", "all of them");
    MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(id));
    if (!shape[static_cast<std::size_t>(axis)].known()) return rewrite.unsupported("parts of unknown size", "known sizes");
    sizes.push_back(shape[static_cast<std::size_t>(axis)].value);
  }
  rewrite.add("SPLIT_V",
              {rewrite.input(0), rewrite.int32s("sizes", sizes), rewrite.constant("axis", Tensor::scalar(static_cast<std::int32_t>(axis)))},
              rewrite.node.outputs, {{"num_splits", std::ssize(sizes)}});
  return {};
}

Status slice(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(const auto starts, rewrite.ints(1));
  MORU_ASSIGN_OR_RETURN(const auto ends, rewrite.ints(2));
  std::vector<std::int64_t> all;
  for (std::size_t i = 0; i < starts.size(); ++i) all.push_back(static_cast<std::int64_t>(i));
  MORU_ASSIGN_OR_RETURN(const auto axes, rewrite.ints(3, all));
  MORU_ASSIGN_OR_RETURN(const auto steps, rewrite.ints(4, std::vector<std::int64_t>(starts.size(), 1)));
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    return rewrite.unsupported("starts, ends, axes and steps of different lengths", "equal ones");
  std::vector<std::int64_t> begin(shape.size(), 0);
  std::vector<std::int64_t> end(shape.size(), 0);
  std::vector<std::int64_t> stride(shape.size(), 1);
  std::int64_t begin_mask = (std::int64_t{1} << shape.size()) - 1;
  std::int64_t end_mask = begin_mask;
  constexpr std::int64_t kFar = std::numeric_limits<std::int32_t>::max();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i] < 0 ? axes[i] + std::ssize(shape) : axes[i]);
    if (axis >= shape.size()) return rewrite.unsupported(fmt::format("axis {}", axes[i]), "one of the input");
    begin[axis] = std::clamp(starts[i], -kFar, kFar);
    end[axis] = std::clamp(ends[i], -kFar, kFar);
    stride[axis] = steps[i];
    begin_mask &= ~(std::int64_t{1} << axis);
    // What lies beyond the end is the end: in both directions a mask says it.
    const bool to_end = steps[i] > 0 ? ends[i] >= kFar : ends[i] <= -kFar;
    if (!to_end) end_mask &= ~(std::int64_t{1} << axis);
  }
  rewrite.add("STRIDED_SLICE",
              {rewrite.input(0), rewrite.int32s("begin", begin), rewrite.int32s("end", end), rewrite.int32s("strides", stride)},
              {rewrite.output()}, {{"begin_mask", begin_mask}, {"end_mask", end_mask}});
  return {};
}

Status pad(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(const std::string mode, string_attribute(rewrite.node, "mode", "constant"));
  MORU_ASSIGN_OR_RETURN(const auto pads, rewrite.ints(1));
  std::vector<std::int64_t> all;
  for (std::size_t i = 0; i < shape.size(); ++i) all.push_back(static_cast<std::int64_t>(i));
  MORU_ASSIGN_OR_RETURN(const auto axes, rewrite.ints(3, all));
  if (pads.size() != 2 * axes.size()) return rewrite.unsupported("pads of another length", "two an axis");
  std::vector<std::int32_t> rows(2 * shape.size(), 0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i] < 0 ? axes[i] + std::ssize(shape) : axes[i]);
    if (axis >= shape.size() || pads[i] < 0 || pads[i + axes.size()] < 0) return rewrite.unsupported("negative padding", "0 or more");
    rows[2 * axis] = static_cast<std::int32_t>(pads[i]);
    rows[2 * axis + 1] = static_cast<std::int32_t>(pads[i + axes.size()]);
  }
  const ValueId around = rewrite.constant("paddings", Tensor::of<std::int32_t>({std::ssize(shape), 2}, rows));
  if (mode == "reflect") {
    rewrite.add("MIRROR_PAD", {rewrite.input(0), around}, {rewrite.output()}, {{"mode", std::string("REFLECT")}});
    return {};
  }
  if (mode != "constant") return rewrite.unsupported(fmt::format("mode {}", mode), "constant or reflect");
  const Tensor* filling = rewrite.constant(2);
  const bool is_zero =
      !rewrite.has_input(2) || (filling != nullptr && filling->dtype() == DType::kFloat32 && filling->data<float>()[0] == 0);
  if (is_zero) {
    rewrite.add("PAD", {rewrite.input(0), around}, {rewrite.output()});
    return {};
  }
  if (rewrite.type(rewrite.output()).quantization) return rewrite.unsupported("a quantised padding by another value than 0", "0");
  rewrite.add("PADV2", {rewrite.input(0), around, rewrite.input(2)}, {rewrite.output()});
  return {};
}

/// TFLite's runs along the last axis.
Status along_last(Rewrite& rewrite, std::string_view op, Attributes attributes) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, axis_of(rewrite, -1));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  layout::Perm perm;
  for (std::size_t i = 0; i < shape.size(); ++i) perm.push_back(i);
  std::swap(perm[static_cast<std::size_t>(axis)], perm.back());
  if (layout::is_identity(perm)) {
    rewrite.add(op, {rewrite.input(0)}, {rewrite.output()}, std::move(attributes));
    return {};
  }
  const ValueId made = rewrite.value(layout::permuted(rewrite.type(rewrite.output()), perm));
  rewrite.add(op, {rewrite.transpose(rewrite.input(0), perm)}, {made}, std::move(attributes));
  rewrite.transpose_to(made, rewrite.output(), layout::inverse(perm));
  return {};
}
Status softmax(Rewrite& rewrite) { return along_last(rewrite, "SOFTMAX", {{"beta", 1.0F}}); }
Status log_softmax(Rewrite& rewrite) { return along_last(rewrite, "LOG_SOFTMAX", {}); }

Status reduce(Rewrite& rewrite, std::string_view op) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(const std::int64_t keep, int_attribute(rewrite.node, "keepdims", 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t noop, int_attribute(rewrite.node, "noop_with_empty_axes", 0));
  MORU_ASSIGN_OR_RETURN(auto axes, rewrite.ints(1));
  if (axes.empty() && noop != 0) {
    rewrite.reshape_to(rewrite.input(0), rewrite.output());
    return {};
  }
  for (std::size_t i = 0; axes.size() < shape.size() && i < shape.size() && !rewrite.has_input(1); ++i)
    axes.push_back(static_cast<std::int64_t>(i));
  for (std::int64_t& axis : axes) axis = axis < 0 ? axis + std::ssize(shape) : axis;
  rewrite.add(op, {rewrite.input(0), rewrite.int32s("axes", axes)}, {rewrite.output()}, {{"keep_dims", keep}});
  return {};
}
Status reduce_mean(Rewrite& rewrite) { return reduce(rewrite, "MEAN"); }
Status reduce_sum(Rewrite& rewrite) { return reduce(rewrite, "SUM"); }
Status reduce_max(Rewrite& rewrite) { return reduce(rewrite, "REDUCE_MAX"); }
Status reduce_min(Rewrite& rewrite) { return reduce(rewrite, "REDUCE_MIN"); }
Status reduce_prod(Rewrite& rewrite) { return reduce(rewrite, "REDUCE_PROD"); }

Status arg(Rewrite& rewrite, std::string_view op) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, axis_of(rewrite, 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t keep, int_attribute(rewrite.node, "keepdims", 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t last, int_attribute(rewrite.node, "select_last_index", 0));
  if (last != 0) return rewrite.unsupported("select_last_index", "the first index");
  ValueId made = rewrite.output();
  if (keep != 0) {
    SymbolicShape shape = *rewrite.type(made).shape;
    shape.erase(shape.begin() + axis);
    made = rewrite.value_like(made, std::move(shape));
  }
  rewrite.add(op, {rewrite.input(0), rewrite.constant("axis", Tensor::scalar(static_cast<std::int32_t>(axis)))}, {made},
              {{"output_type", std::string("INT64")}});
  if (keep != 0) rewrite.reshape_to(made, rewrite.output());
  return {};
}
Status arg_max(Rewrite& rewrite) { return arg(rewrite, "ARG_MAX"); }
Status arg_min(Rewrite& rewrite) { return arg(rewrite, "ARG_MIN"); }

Status gather(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, axis_of(rewrite, 0));
  const Tensor* indices = rewrite.constant(1);
  if (indices == nullptr) return rewrite.unsupported("indices that are computed, and may be negative", "constants");
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(auto values, rewrite.ints(1));
  for (std::int64_t& value : values) {
    const Dim& dim = shape[static_cast<std::size_t>(axis)];
    if (value < 0 && !dim.known()) return rewrite.unsupported("a negative index of an unknown extent", "a known one");
    if (value < 0) value += dim.value;
  }
  const std::vector<std::int32_t> narrow(values.begin(), values.end());
  rewrite.add("GATHER", {rewrite.input(0), rewrite.constant("indices", Tensor::of<std::int32_t>(indices->dims(), narrow))},
              {rewrite.output()}, {{"axis", axis}});
  return {};
}

Status tile(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const auto repeats, rewrite.ints(1));
  rewrite.add("TILE", {rewrite.input(0), rewrite.int32s("multiples", repeats)}, {rewrite.output()});
  return {};
}

Status expand(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const Dims dims, rewrite.dims(rewrite.output()));
  rewrite.add("BROADCAST_TO", {rewrite.input(0), rewrite.int32s("shape", dims)}, {rewrite.output()});
  return {};
}

/// One kind of a resize of the plane; scales are those of the sizes.
/// TFLite knows only how many elements go in and come out; a scale that is rounded to whole ones means other places in between.
bool is_exact(const Tensor* scales, std::span<const std::int64_t> x, std::span<const std::int64_t> y) {
  if (scales == nullptr || scales->dtype() != DType::kFloat32 || scales->count() != std::ssize(x)) return true;
  constexpr double kRounding = 1e-4;  // of a scale such as 1/3, which is a float, over some thousand elements
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double made = static_cast<double>(scales->data<float>()[i]) * static_cast<double>(x[i]);
    if (std::abs(made - static_cast<double>(y[i])) > kRounding * std::max(1.0, made)) return false;
  }
  return true;
}

Status resize(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::string mode, string_attribute(rewrite.node, "mode", "nearest"));
  MORU_ASSIGN_OR_RETURN(const std::string pixels, string_attribute(rewrite.node, "coordinate_transformation_mode", "half_pixel"));
  MORU_ASSIGN_OR_RETURN(const std::string nearest, string_attribute(rewrite.node, "nearest_mode", "round_prefer_floor"));
  MORU_ASSIGN_OR_RETURN(const Dims x, rewrite.dims(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(const Dims y, rewrite.dims(rewrite.output()));
  if (x.size() != 4 || x[0] != y[0] || x[1] != y[1]) return rewrite.unsupported("a resize of other axes", "of a plane, [N, C, H, W]");
  if (rewrite.has_input(2) && rewrite.constant(2) == nullptr && !rewrite.has_input(3)) {
    return rewrite.unsupported("scales that are computed", "constants");
  }
  if (!is_exact(rewrite.constant(2), x, y)) return rewrite.unsupported("scales that make no whole extents", "ones that do");
  const bool whole = y[2] % x[2] == 0 && y[3] % x[3] == 0;
  Attributes attributes;
  const bool half = pixels == "half_pixel" || (pixels == "pytorch_half_pixel" && y[2] > 1 && y[3] > 1);
  if (mode == "linear" && (half || pixels == "align_corners" || pixels == "asymmetric")) {
    attributes["half_pixel_centers"] = std::int64_t{half ? 1 : 0};
    attributes["align_corners"] = std::int64_t{pixels == "align_corners" ? 1 : 0};
  } else if (mode == "nearest" && half && (nearest == "round_prefer_ceil" || (whole && nearest.starts_with("round")))) {
    // floor((i + 1/2) * scale), which is what TFLite does; by whole factors there are no ties.
    attributes["half_pixel_centers"] = std::int64_t{whole ? 0 : 1};
  } else if (mode != "nearest" || pixels != "asymmetric" || nearest != "floor") {
    return rewrite.unsupported(fmt::format("mode {}, {}, {}", mode, pixels, nearest),
                               "linear, or nearest by whole factors or rounded down");
  }
  const ValueId from = rewrite.transpose(rewrite.input(0), channels_last(4));
  const ValueId made = rewrite.value(layout::permuted(rewrite.type(rewrite.output()), channels_last(4)));
  rewrite.add(mode == "linear" ? "RESIZE_BILINEAR" : "RESIZE_NEAREST_NEIGHBOR",
              {from, rewrite.int32s("size", std::vector<std::int64_t>{y[2], y[3]})}, {made}, std::move(attributes));
  rewrite.transpose_to(made, rewrite.output(), channels_first(4));
  return {};
}

Status blocks(Rewrite& rewrite, std::string_view op) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t size, int_attribute(rewrite.node, "blocksize", 1));
  const ValueId from = rewrite.transpose(rewrite.input(0), channels_last(4));
  const ValueId made = rewrite.value(layout::permuted(rewrite.type(rewrite.output()), channels_last(4)));
  rewrite.add(op, {from}, {made}, {{"block_size", size}});
  rewrite.transpose_to(made, rewrite.output(), channels_first(4));
  return {};
}
Status depth_to_space(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::string mode, string_attribute(rewrite.node, "mode", "DCR"));
  if (mode != "DCR") return rewrite.unsupported(fmt::format("mode {}", mode), "DCR");
  return blocks(rewrite, "DEPTH_TO_SPACE");
}
Status space_to_depth(Rewrite& rewrite) { return blocks(rewrite, "SPACE_TO_DEPTH"); }

constexpr Conversion kRows[] = {
    {"ArgMax", arg_max},
    {"ArgMin", arg_min},
    {"Concat", concat},
    {"DepthToSpace", depth_to_space},
    {"Expand", expand},
    {"Flatten", reshape},
    {"Gather", gather},
    {"LogSoftmax", log_softmax},
    {"Pad", pad},
    {"ReduceMax", reduce_max},
    {"ReduceMean", reduce_mean},
    {"ReduceMin", reduce_min},
    {"ReduceProd", reduce_prod},
    {"ReduceSum", reduce_sum},
    {"Reshape", reshape},
    {"Resize", resize},
    {"Slice", slice},
    {"Softmax", softmax},
    {"SpaceToDepth", space_to_depth},
    {"Split", split},
    {"Squeeze", reshape},
    {"Tile", tile},
    {"Transpose", transpose},
    {"Unsqueeze", reshape},
};

}  // namespace

extern const ConversionSet kToTflite_shape;
const ConversionSet kToTflite_shape{kRows};

}  // namespace moru::model::convert
