// SPDX-License-Identifier: Apache-2.0
// Ops that move elements, or that work along axes.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "model/convert/rewrite.h"
#include "model/convert/support/activation.h"

namespace moru::model::convert {
namespace {

Result<std::int64_t> normal_axis(const Rewrite& rewrite, std::int64_t axis) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  if (axis < -std::ssize(shape) || axis >= std::ssize(shape)) return rewrite.unsupported(fmt::format("axis {}", axis), "one of the input");
  return axis < 0 ? axis + std::ssize(shape) : axis;
}

/// The one number in a constant input.
Result<std::int64_t> number(const Rewrite& rewrite, std::size_t index) {
  MORU_ASSIGN_OR_RETURN(const auto values, rewrite.ints(index));
  if (values.size() != 1) return rewrite.unsupported(fmt::format("{} numbers in input {}", values.size(), index), "one");
  return values[0];
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
  if (!perm) return rewrite.unsupported("a permutation that is computed", "a constant");
  rewrite.transpose_to(rewrite.input(0), rewrite.output(), *perm);
  return {};
}

Status concatenation(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(rewrite.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, normal_axis(rewrite, given));
  MORU_ASSIGN_OR_RETURN(const ValueId made, before_activation(rewrite, rewrite.output()));
  rewrite.add("Concat", rewrite.node.inputs, {made}, {{"axis", axis}});
  return add_activation(rewrite, made, rewrite.output());
}

Status pack(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(rewrite.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape y, rewrite.shape(rewrite.output()));
  const std::int64_t axis = given < 0 ? given + std::ssize(y) : given;
  if (axis < 0 || axis >= std::ssize(y)) return rewrite.unsupported(fmt::format("axis {}", given), "one of the output");
  SymbolicShape part = y;
  part[static_cast<std::size_t>(axis)] = {1, {}};
  std::vector<ValueId> parts;
  for (const ValueId id : rewrite.node.inputs) parts.push_back(rewrite.reshape(id, part));
  rewrite.add("Concat", std::move(parts), {rewrite.output()}, {{"axis", axis}});
  return {};
}

Status split_sizes(Rewrite& rewrite, ValueId from, std::int64_t given, std::span<const ValueId> outputs) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape x, rewrite.shape(from));
  const std::int64_t axis = given < 0 ? given + std::ssize(x) : given;
  if (axis < 0 || axis >= std::ssize(x)) return rewrite.unsupported(fmt::format("axis {}", given), "one of the input");
  std::vector<std::int64_t> sizes;
  for (const ValueId id : outputs) {
    MORU_ASSIGN_OR_RETURN(const SymbolicShape part, rewrite.shape(id));
    if (part.size() != x.size() || !part[static_cast<std::size_t>(axis)].known())
      return rewrite.unsupported("parts of unknown size", "known sizes");
    sizes.push_back(part[static_cast<std::size_t>(axis)].value);
  }
  rewrite.add("Split", {from, rewrite.int64s("sizes", sizes)}, {outputs.begin(), outputs.end()}, {{"axis", axis}});
  return {};
}
Status split(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, number(rewrite, 0));
  return split_sizes(rewrite, rewrite.input(1), axis, rewrite.node.outputs);
}
Status split_v(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, number(rewrite, 2));
  return split_sizes(rewrite, rewrite.input(0), axis, rewrite.node.outputs);
}

Status unpack(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(rewrite.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, normal_axis(rewrite, given));
  MORU_ASSIGN_OR_RETURN(SymbolicShape part, rewrite.shape(rewrite.input(0)));
  part[static_cast<std::size_t>(axis)] = {1, {}};
  std::vector<ValueId> parts;
  for (const ValueId id : rewrite.node.outputs) parts.push_back(rewrite.value_like(id, part));
  MORU_RETURN_IF_ERROR(split_sizes(rewrite, rewrite.input(0), axis, parts));
  for (std::size_t i = 0; i < parts.size(); ++i) rewrite.reshape_to(parts[i], rewrite.node.outputs[i]);
  return {};
}

Status slice(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const auto begin, rewrite.ints(1));
  MORU_ASSIGN_OR_RETURN(const auto size, rewrite.ints(2));
  std::vector<std::int64_t> end;
  for (std::size_t i = 0; i < begin.size() && i < size.size(); ++i)
    end.push_back(size[i] < 0 ? std::numeric_limits<std::int64_t>::max() : begin[i] + size[i]);
  rewrite.add("Slice", {rewrite.input(0), rewrite.int64s("starts", begin), rewrite.int64s("ends", end)}, {rewrite.output()});
  return {};
}

Status strided_slice(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(auto begin, rewrite.ints(1));
  MORU_ASSIGN_OR_RETURN(auto end, rewrite.ints(2));
  MORU_ASSIGN_OR_RETURN(auto strides, rewrite.ints(3));
  MORU_ASSIGN_OR_RETURN(const std::int64_t begin_mask, int_attribute(rewrite.node, "begin_mask", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t end_mask, int_attribute(rewrite.node, "end_mask", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t shrink, int_attribute(rewrite.node, "shrink_axis_mask", 0));
  for (const char* const name : {"ellipsis_mask", "new_axis_mask", "offset"}) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t value, int_attribute(rewrite.node, name, 0));
    if (value != 0) return rewrite.unsupported(fmt::format("{} {}", name, value), "0");
  }
  if (begin.size() > shape.size() || end.size() != begin.size() || strides.size() != begin.size())
    return rewrite.unsupported("begin, end and strides of different lengths", "one number an axis");
  constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max();
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    const auto bit = [&](std::int64_t mask) { return ((mask >> i) & 1) != 0; };
    axes.push_back(static_cast<std::int64_t>(i));
    if (bit(shrink)) {
      end[i] = begin[i] == -1 ? kFar : begin[i] + 1;
      strides[i] = 1;
      continue;
    }
    if (bit(begin_mask)) begin[i] = strides[i] > 0 ? 0 : kFar;
    if (bit(end_mask)) end[i] = strides[i] > 0 ? kFar : -kFar;
  }
  ValueId to = rewrite.output();
  if (shrink != 0) {
    MORU_ASSIGN_OR_RETURN(const SymbolicShape y, rewrite.shape(rewrite.output()));
    SymbolicShape whole;
    std::size_t next = 0;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (((shrink >> i) & 1) != 0) {
        whole.push_back({1, {}});
      } else if (next < y.size()) {
        whole.push_back(y[next++]);
      }
    }
    to = rewrite.value_like(rewrite.output(), std::move(whole));
  }
  rewrite.add("Slice",
              {rewrite.input(0), rewrite.int64s("starts", begin), rewrite.int64s("ends", end), rewrite.int64s("axes", axes),
               rewrite.int64s("steps", strides)},
              {to});
  if (to != rewrite.output()) rewrite.reshape_to(to, rewrite.output());
  return {};
}

/// [R, 2] -> the beginnings, then the ends.
Result<ValueId> pads_of(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const auto rows, rewrite.ints(1));
  std::vector<std::int64_t> pads(rows.size(), 0);
  const std::size_t rank = rows.size() / 2;
  for (std::size_t i = 0; i < rank; ++i) {
    pads[i] = rows[2 * i];
    pads[rank + i] = rows[2 * i + 1];
  }
  return rewrite.int64s("pads", pads);
}
Status pad(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const ValueId pads, pads_of(rewrite));
  std::vector<ValueId> inputs{rewrite.input(0), pads};
  if (rewrite.has_input(2)) inputs.push_back(rewrite.input(2));
  rewrite.add("Pad", std::move(inputs), {rewrite.output()});
  return {};
}
Status mirror_pad(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::string mode, string_attribute(rewrite.node, "mode", "REFLECT"));
  if (mode != "REFLECT") return rewrite.unsupported(fmt::format("mode {}", mode), "REFLECT");
  MORU_ASSIGN_OR_RETURN(const ValueId pads, pads_of(rewrite));
  rewrite.add("Pad", {rewrite.input(0), pads}, {rewrite.output()}, {{"mode", std::string("reflect")}});
  return {};
}

Status softmax(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const float beta, float_attribute(rewrite.node, "beta", 0.0F));
  ValueId x = rewrite.input(0);
  if (beta != 1.0F) {
    const ValueId scaled = real_value(rewrite, x);
    rewrite.add("Mul", {x, rewrite.constant("beta", Tensor::scalar(beta))}, {scaled});
    x = scaled;
  }
  rewrite.add("Softmax", {x}, {rewrite.output()}, {{"axis", std::int64_t{-1}}});
  return {};
}
Status log_softmax(Rewrite& rewrite) {
  rewrite.add("LogSoftmax", {rewrite.input(0)}, {rewrite.output()}, {{"axis", std::int64_t{-1}}});
  return {};
}
Status l2_normalization(Rewrite& rewrite) {
  rewrite.add("LpNormalization", {rewrite.input(0)}, {rewrite.output()}, {{"axis", std::int64_t{-1}}, {"p", std::int64_t{2}}});
  return {};
}

Status reduce(Rewrite& rewrite, std::string_view op) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t keep, int_attribute(rewrite.node, "keep_dims", 0));
  MORU_ASSIGN_OR_RETURN(const auto axes, rewrite.ints(1));
  rewrite.add(op, {rewrite.input(0), rewrite.int64s("axes", axes)}, {rewrite.output()}, {{"keepdims", keep}});
  return {};
}
Status mean(Rewrite& rewrite) { return reduce(rewrite, "ReduceMean"); }
Status sum(Rewrite& rewrite) { return reduce(rewrite, "ReduceSum"); }
Status reduce_max(Rewrite& rewrite) { return reduce(rewrite, "ReduceMax"); }
Status reduce_min(Rewrite& rewrite) { return reduce(rewrite, "ReduceMin"); }
Status reduce_prod(Rewrite& rewrite) { return reduce(rewrite, "ReduceProd"); }

Status arg(Rewrite& rewrite, std::string_view op) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, number(rewrite, 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, normal_axis(rewrite, given));
  const Attributes attributes{{"axis", axis}, {"keepdims", std::int64_t{0}}};
  if (rewrite.type(rewrite.output()).dtype == DType::kInt64) {
    rewrite.add(op, {rewrite.input(0)}, {rewrite.output()}, attributes);
    return {};
  }
  ValueType type = rewrite.type(rewrite.output());
  type.dtype = DType::kInt64;
  const ValueId wide = rewrite.value(std::move(type));
  rewrite.add(op, {rewrite.input(0)}, {wide}, attributes);
  rewrite.add("Cast", {wide}, {rewrite.output()}, {{"to", std::int64_t{6}}});
  return {};
}
Status arg_max(Rewrite& rewrite) { return arg(rewrite, "ArgMax"); }
Status arg_min(Rewrite& rewrite) { return arg(rewrite, "ArgMin"); }

Status gather(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(rewrite.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t batch, int_attribute(rewrite.node, "batch_dims", 0));
  if (batch != 0) return rewrite.unsupported(fmt::format("batch_dims {}", batch), "0");
  rewrite.add("Gather", rewrite.node.inputs, {rewrite.output()}, {{"axis", axis}});
  return {};
}

Status tile(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const auto repeats, rewrite.ints(1));
  rewrite.add("Tile", {rewrite.input(0), rewrite.int64s("repeats", repeats)}, {rewrite.output()});
  return {};
}
Status broadcast_to(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const auto shape, rewrite.ints(1));
  rewrite.add("Expand", {rewrite.input(0), rewrite.int64s("shape", shape)}, {rewrite.output()});
  return {};
}

/// Around an op that ONNX has for [N, C, H, W].
template <class F>
Status in_channels_first(Rewrite& rewrite, F add) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape x, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape y, rewrite.shape(rewrite.output()));
  if (x.size() != 4 || y.size() != 4) return rewrite.unsupported("data of another rank", "[N, H, W, C]");
  const ValueId made = rewrite.value(layout::permuted(rewrite.type(rewrite.output()), channels_first(4)));
  MORU_RETURN_IF_ERROR(add(rewrite.transpose(rewrite.input(0), channels_first(4)), made));
  rewrite.transpose_to(made, rewrite.output(), channels_last(4));
  return {};
}

Status resize(Rewrite& rewrite, bool linear) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t half, int_attribute(rewrite.node, "half_pixel_centers", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t corners, int_attribute(rewrite.node, "align_corners", 0));
  MORU_ASSIGN_OR_RETURN(const Dims y, rewrite.dims(rewrite.output()));
  if (y.size() != 4) return rewrite.unsupported("data of another rank", "[N, H, W, C]");
  return in_channels_first(rewrite, [&](ValueId from, ValueId to) {
    Attributes attributes{{"mode", std::string(linear ? "linear" : "nearest")}};
    attributes["coordinate_transformation_mode"] = std::string(corners != 0 ? "align_corners" : half != 0 ? "half_pixel" : "asymmetric");
    if (!linear) attributes["nearest_mode"] = std::string(corners != 0 || half != 0 ? "round_prefer_ceil" : "floor");
    const std::vector<std::int64_t> sizes{y[0], y[3], y[1], y[2]};
    rewrite.add("Resize", {from, kNoValue, kNoValue, rewrite.int64s("sizes", sizes)}, {to}, std::move(attributes));
    return Status{};
  });
}
Status resize_bilinear(Rewrite& rewrite) { return resize(rewrite, true); }
Status resize_nearest(Rewrite& rewrite) { return resize(rewrite, false); }

Status blocks(Rewrite& rewrite, std::string_view op) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t size, int_attribute(rewrite.node, "block_size", 1));
  return in_channels_first(rewrite, [&](ValueId from, ValueId to) {
    rewrite.add(op, {from}, {to}, {{"blocksize", size}});
    return Status{};
  });
}
Status depth_to_space(Rewrite& rewrite) { return blocks(rewrite, "DepthToSpace"); }
Status space_to_depth(Rewrite& rewrite) { return blocks(rewrite, "SpaceToDepth"); }

constexpr Conversion kRows[] = {
    {"ARG_MAX", arg_max},
    {"ARG_MIN", arg_min},
    {"BROADCAST_TO", broadcast_to},
    {"CONCATENATION", concatenation},
    {"DEPTH_TO_SPACE", depth_to_space},
    {"EXPAND_DIMS", reshape},
    {"GATHER", gather},
    {"L2_NORMALIZATION", l2_normalization},
    {"LOG_SOFTMAX", log_softmax},
    {"MEAN", mean},
    {"MIRROR_PAD", mirror_pad},
    {"PACK", pack},
    {"PAD", pad},
    {"PADV2", pad},
    {"REDUCE_MAX", reduce_max},
    {"REDUCE_MIN", reduce_min},
    {"REDUCE_PROD", reduce_prod},
    {"RESHAPE", reshape},
    {"RESIZE_BILINEAR", resize_bilinear},
    {"RESIZE_NEAREST_NEIGHBOR", resize_nearest},
    {"SLICE", slice},
    {"SOFTMAX", softmax},
    {"SPACE_TO_DEPTH", space_to_depth},
    {"SPLIT", split},
    {"SPLIT_V", split_v},
    {"SQUEEZE", reshape},
    {"STRIDED_SLICE", strided_slice},
    {"SUM", sum},
    {"TILE", tile},
    {"TRANSPOSE", transpose},
    {"UNPACK", unpack},
};

}  // namespace

extern const ConversionSet kToOnnx_shape;
const ConversionSet kToOnnx_shape{kRows};

}  // namespace moru::model::convert
