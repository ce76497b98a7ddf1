// SPDX-License-Identifier: Apache-2.0
// Convolution, pooling, matrix products.
#include <fmt/format.h>

#include <algorithm>

#include "model/convert/rewrite.h"
#include "model/convert/support/activation.h"
#include "model/convert/support/hybrid.h"

namespace moru::model::convert {
namespace {

struct Plane {
  std::vector<std::int64_t> kernel;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
};

Result<Plane> plane_of(const Rewrite& rewrite, std::vector<std::int64_t> kernel) {
  Plane plane{.kernel = std::move(kernel), .strides = {}, .dilations = {}};
  for (const char* const name : {"stride_h", "stride_w"}) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t stride, int_attribute(rewrite.node, name, 1));
    plane.strides.push_back(stride);
  }
  for (const char* const name : {"dilation_h_factor", "dilation_w_factor"}) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t dilation, int_attribute(rewrite.node, name, 1));
    plane.dilations.push_back(dilation);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (plane.strides[i] < 1 || plane.dilations[i] < 1) return rewrite.unsupported("a stride or dilation below 1", "1 or more");
  }
  return plane;
}

/// Window attributes; SAME as numbers where the extents are known, so that any reader of ONNX sees the same.
Result<Attributes> attributes_of(const Rewrite& rewrite, const Plane& plane, const SymbolicShape& x) {
  MORU_ASSIGN_OR_RETURN(const std::string padding, string_attribute(rewrite.node, "padding", "SAME"));
  Attributes attributes{{"kernel_shape", plane.kernel}, {"strides", plane.strides}};
  if (plane.dilations != std::vector<std::int64_t>{1, 1}) attributes["dilations"] = plane.dilations;
  if (padding == "VALID") return attributes;
  if (!x[1].known() || !x[2].known()) {
    attributes["auto_pad"] = std::string("SAME_UPPER");
    return attributes;
  }
  std::vector<std::int64_t> pads(4, 0);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t extent = x[i + 1].value;
    const std::int64_t out = (extent + plane.strides[i] - 1) / plane.strides[i];
    const std::int64_t total =
        std::max<std::int64_t>((out - 1) * plane.strides[i] + plane.dilations[i] * (plane.kernel[i] - 1) + 1 - extent, 0);
    pads[i] = total / 2;
    pads[i + 2] = total - total / 2;
  }
  if (std::ranges::any_of(pads, [](std::int64_t pad) { return pad != 0; })) attributes["pads"] = pads;
  return attributes;
}

/// The node's output in NCHW, as its type will be.
ValueId channels_first_output(Rewrite& rewrite) {
  return rewrite.value(layout::permuted(rewrite.type(rewrite.output()), channels_first(4)));
}

Status convolution(Rewrite& rewrite, bool depthwise) {
  MORU_ASSIGN_OR_RETURN(const Dims w, rewrite.dims(rewrite.input(1)));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape x, rewrite.shape(rewrite.input(0)));
  if (w.size() != 4 || x.size() != 4 || !x[3].known() || !rewrite.type(rewrite.output()).shape ||
      rewrite.type(rewrite.output()).shape->size() != 4)
    return rewrite.unsupported("data or weights of another rank", "[N, H, W, C] with known channels");
  MORU_ASSIGN_OR_RETURN(const Plane plane, plane_of(rewrite, {w[1], w[2]}));
  MORU_ASSIGN_OR_RETURN(Attributes attributes, attributes_of(rewrite, plane, x));
  if (!depthwise && (w[3] < 1 || x[3].value % w[3] != 0))
    return rewrite.unsupported(fmt::format("{} channels and weights {}", x[3].value, to_string(w)), "a multiple");
  const std::int64_t group = depthwise ? x[3].value : x[3].value / w[3];
  if (group != 1) attributes["group"] = group;
  MORU_ASSIGN_OR_RETURN(const ValueId weights, product_weights(rewrite));
  std::vector<ValueId> inputs{rewrite.transpose(rewrite.input(0), channels_first(4)),
                              rewrite.transpose(weights, depthwise ? layout::Perm{3, 0, 1, 2} : layout::Perm{0, 3, 1, 2})};
  if (rewrite.has_input(2)) inputs.push_back(rewrite.input(2));
  const ValueId to = channels_first_output(rewrite);
  MORU_ASSIGN_OR_RETURN(const ValueId made, before_activation(rewrite, to));
  MORU_RETURN_IF_ERROR(add_product(rewrite, "Conv", inputs, made, std::move(attributes)));
  MORU_RETURN_IF_ERROR(add_activation(rewrite, made, to));
  rewrite.transpose_to(to, rewrite.output(), channels_last(4));
  return {};
}
Status conv_2d(Rewrite& rewrite) { return convolution(rewrite, false); }
Status depthwise_conv_2d(Rewrite& rewrite) { return convolution(rewrite, true); }

Status pool(Rewrite& rewrite, std::string_view op) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t height, int_attribute(rewrite.node, "filter_height", 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t width, int_attribute(rewrite.node, "filter_width", 1));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape x, rewrite.shape(rewrite.input(0)));
  if (x.size() != 4) return rewrite.unsupported("data of another rank", "[N, H, W, C]");
  MORU_ASSIGN_OR_RETURN(const Plane plane, plane_of(rewrite, {height, width}));
  MORU_ASSIGN_OR_RETURN(Attributes attributes, attributes_of(rewrite, plane, x));
  const ValueId to = channels_first_output(rewrite);
  MORU_ASSIGN_OR_RETURN(const ValueId made, before_activation(rewrite, to));
  rewrite.add(op, {rewrite.transpose(rewrite.input(0), channels_first(4))}, {made}, std::move(attributes));
  MORU_RETURN_IF_ERROR(add_activation(rewrite, made, to));
  rewrite.transpose_to(to, rewrite.output(), channels_last(4));
  return {};
}
Status max_pool_2d(Rewrite& rewrite) { return pool(rewrite, "MaxPool"); }
Status average_pool_2d(Rewrite& rewrite) { return pool(rewrite, "AveragePool"); }

/// x of any rank is seen as [..., K]; weights [N, K].
Status fully_connected(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::string format, string_attribute(rewrite.node, "weights_format", "DEFAULT"));
  if (format != "DEFAULT") return rewrite.unsupported(fmt::format("weights in the order {}", format), "DEFAULT");
  MORU_ASSIGN_OR_RETURN(const Dims w, rewrite.dims(rewrite.input(1)));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape x, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape y, rewrite.shape(rewrite.output()));
  if (w.size() != 2) return rewrite.unsupported(fmt::format("weights {}", to_string(w)), "[N, K]");
  ValueId rows = rewrite.input(0);
  Dim count;  // of rows
  if (y.size() == 2) {
    count = y[0];
  } else if (std::ranges::all_of(y, [](const Dim& dim) { return dim.known(); })) {
    count.value = 1;
    for (std::size_t i = 0; i + 1 < y.size(); ++i) count.value *= y[i].value;
  }
  if (x.size() != 2) rows = rewrite.reshape(rows, {count, {w[1], {}}});
  ValueId to = rewrite.output();
  if (y.size() != 2) to = rewrite.value_like(rewrite.output(), {count, {w[0], {}}});
  MORU_ASSIGN_OR_RETURN(const ValueId weights, product_weights(rewrite));
  std::vector<ValueId> inputs{rows, weights};
  if (rewrite.has_input(2)) inputs.push_back(rewrite.input(2));
  MORU_ASSIGN_OR_RETURN(const ValueId made, before_activation(rewrite, to));
  MORU_RETURN_IF_ERROR(add_product(rewrite, "Gemm", inputs, made, {{"transB", std::int64_t{1}}}));
  MORU_RETURN_IF_ERROR(add_activation(rewrite, made, to));
  if (to != rewrite.output()) rewrite.reshape_to(to, rewrite.output());
  return {};
}

Status batch_matmul(Rewrite& rewrite) {
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < 2; ++i) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t adjoint, int_attribute(rewrite.node, i == 0 ? "adj_x" : "adj_y", 0));
    MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(i)));
    layout::Perm perm;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) perm.push_back(axis);
    if (adjoint != 0 && shape.size() >= 2) std::swap(perm[shape.size() - 1], perm[shape.size() - 2]);
    inputs.push_back(rewrite.transpose(rewrite.input(i), perm));
  }
  if (rewrite.type(rewrite.input(0)).dtype == DType::kFloat32 && rewrite.type(rewrite.input(1)).dtype != DType::kFloat32)
    return rewrite.unsupported("a matrix of 8 bits beside float inputs", "both of one kind");
  rewrite.add("MatMul", std::move(inputs), {rewrite.output()});
  return {};
}

constexpr Conversion kRows[] = {
    {"AVERAGE_POOL_2D", average_pool_2d},     {"BATCH_MATMUL", batch_matmul},       {"CONV_2D", conv_2d},
    {"DEPTHWISE_CONV_2D", depthwise_conv_2d}, {"FULLY_CONNECTED", fully_connected}, {"MAX_POOL_2D", max_pool_2d},
};

}  // namespace

extern const ConversionSet kToOnnx_window;
const ConversionSet kToOnnx_window{kRows};

}  // namespace moru::model::convert
