// SPDX-License-Identifier: Apache-2.0
// Convolution and pooling.
#include <fmt/format.h>

#include <limits>

#include "model/convert/rewrite.h"
#include "model/convert/support/spatial.h"

namespace moru::model::convert {
namespace {

Attributes window_attributes(const ops::Window& window, const Padding& padding, const std::string& activation) {
  const auto [stride_h, stride_w] = Spatial::plane(window.strides, 1);
  return {{"padding", padding.word}, {"stride_h", stride_h}, {"stride_w", stride_w}, {std::string(kActivation), activation}};
}

/// Biases are never left out: several of TFLite's delegates want them.
ValueId bias_of(Rewrite& rewrite, std::int64_t channels) {
  if (rewrite.has_input(2)) return rewrite.input(2);
  const auto& x = rewrite.type(rewrite.input(0));
  const auto& w = rewrite.type(rewrite.input(1));
  const std::vector<float> zeros(static_cast<std::size_t>(channels), 0.0F);
  if (!x.quantization || !w.quantization) return rewrite.constant("bias", Tensor::of<float>({channels}, zeros));
  const std::vector<std::int32_t> narrow(zeros.size(), 0);
  const std::vector<std::int64_t> wide(zeros.size(), 0);
  const ValueId id = rewrite.constant(
      "bias", x.dtype == DType::kInt16 ? Tensor::of<std::int64_t>({channels}, wide) : Tensor::of<std::int32_t>({channels}, narrow));
  ValueType type = rewrite.type(id);
  Quantization quantization;
  for (const float scale : w.quantization->scales) quantization.scales.push_back(x.quantization->scales[0] * scale);
  quantization.zero_points.assign(quantization.scales.size(), 0);
  type.quantization = std::move(quantization);
  rewrite.graph.set_type(id, std::move(type));
  return id;
}

Status conv(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const Dims w_dims, rewrite.dims(rewrite.input(1)));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape x_shape, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape y_shape, rewrite.shape(rewrite.output()));
  MORU_ASSIGN_OR_RETURN(const std::int64_t group, int_attribute(rewrite.node, "group", 1));
  MORU_ASSIGN_OR_RETURN(const std::string activation, string_attribute(rewrite.node, kActivation, std::string(kNoActivation)));
  MORU_ASSIGN_OR_RETURN(Spatial spatial, Spatial::open(rewrite));
  MORU_ASSIGN_OR_RETURN(const auto window, ops::read_window(rewrite.node, std::span(w_dims).subspan(2)));
  MORU_ASSIGN_OR_RETURN(const Padding padding, padding_of(rewrite, window, std::span(x_shape).subspan(2), std::span(y_shape).subspan(2)));
  const ValueId x = padding.needs_pad() ? add_pad(rewrite, spatial.x(), padding) : spatial.x();
  // One input channel a group is TFLite's depthwise kind, whose weights are [1, kH, kW, O].
  const bool depthwise = group > 1 && w_dims[1] == 1 && x_shape[1].value == group;
  ValueId w = rewrite.input(1);
  if (w_dims.size() == 3) w = rewrite.reshape(w, {{w_dims[0], {}}, {w_dims[1], {}}, {1, {}}, {w_dims[2], {}}});
  w = rewrite.transpose(w, depthwise ? layout::Perm{1, 2, 3, 0} : layout::Perm{0, 2, 3, 1});
  Attributes attributes = window_attributes(window, padding, activation);
  const auto [dilation_h, dilation_w] = Spatial::plane(window.dilations, 1);
  attributes["dilation_h_factor"] = dilation_h;
  attributes["dilation_w_factor"] = dilation_w;
  if (depthwise) attributes["depth_multiplier"] = w_dims[0] / group;
  const ValueId made = spatial.make_output();
  rewrite.add(depthwise ? "DEPTHWISE_CONV_2D" : "CONV_2D", {x, w, bias_of(rewrite, w_dims[0])}, {made}, std::move(attributes));
  spatial.close(made);
  return {};
}

struct Pool {
  Spatial spatial;
  ops::Window window;
  Padding padding;
  std::string activation;
};

Result<Pool> open_pool(Rewrite& rewrite) {
  if (rewrite.node.outputs.size() > 1 && rewrite.node.outputs[1] != kNoValue)
    return rewrite.unsupported("the output of indices", "only the values");
  MORU_ASSIGN_OR_RETURN(const SymbolicShape x_shape, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape y_shape, rewrite.shape(rewrite.output()));
  MORU_ASSIGN_OR_RETURN(const auto kernel, ops::required_kernel(rewrite.node));
  MORU_ASSIGN_OR_RETURN(auto window, ops::read_window(rewrite.node, kernel));
  for (const std::int64_t dilation : window.dilations) {
    if (dilation != 1) return rewrite.unsupported(fmt::format("dilation {}", dilation), "1, since TFLite's pools have no other");
  }
  MORU_ASSIGN_OR_RETURN(const Spatial spatial, Spatial::open(rewrite));
  MORU_ASSIGN_OR_RETURN(auto padding, padding_of(rewrite, window, std::span(x_shape).subspan(2), std::span(y_shape).subspan(2)));
  MORU_ASSIGN_OR_RETURN(auto activation, string_attribute(rewrite.node, kActivation, std::string(kNoActivation)));
  return Pool{spatial, std::move(window), std::move(padding), std::move(activation)};
}

void close_pool(Rewrite& rewrite, Pool& pool, std::string_view op, ValueId x) {
  Attributes attributes = window_attributes(pool.window, pool.padding, pool.activation);
  const auto [height, width] = Spatial::plane(pool.window.kernel, 1);
  attributes["filter_height"] = height;
  attributes["filter_width"] = width;
  const ValueId made = pool.spatial.make_output();
  rewrite.add(op, {x}, {made}, std::move(attributes));
  pool.spatial.close(made);
}

/// The lowest number, which no maximum takes.
Tensor lowest(DType dtype) {
  switch (dtype) {
    case DType::kInt8: return Tensor::scalar(std::numeric_limits<std::int8_t>::lowest());
    case DType::kUInt8: return Tensor::scalar(std::numeric_limits<std::uint8_t>::lowest());
    case DType::kInt16: return Tensor::scalar(std::numeric_limits<std::int16_t>::lowest());
    default: return Tensor::scalar(std::numeric_limits<float>::lowest());
  }
}

Status max_pool(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(Pool pool, open_pool(rewrite));
  ValueId x = pool.spatial.x();
  if (pool.padding.needs_pad()) {
    const Tensor filling = lowest(*rewrite.type(x).dtype);
    x = add_pad(rewrite, x, pool.padding, &filling);
  }
  close_pool(rewrite, pool, "MAX_POOL_2D", x);
  return {};
}

Status average_pool(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(Pool pool, open_pool(rewrite));
  MORU_ASSIGN_OR_RETURN(const std::int64_t count_pads, int_attribute(rewrite.node, "count_include_pad", 0));
  ValueId x = pool.spatial.x();
  if (count_pads == 0 && pool.padding.needs_pad()) {
    return rewrite.unsupported("padding that does not count and is not SAME", "SAME, VALID or count_include_pad = 1");
  }
  if (count_pads != 0 && pool.padding.word == "SAME") {
    // TFLite does not count what SAME adds: it must be data.
    if (pool.window.auto_pad != ops::AutoPad::kExplicit) return rewrite.unsupported("auto_pad with padding that counts", "explicit pads");
    pool.padding = {.word = "VALID", .begin = pool.window.pads_begin, .end = pool.window.pads_end};
  }
  if (pool.padding.needs_pad()) x = add_pad(rewrite, x, pool.padding);
  close_pool(rewrite, pool, "AVERAGE_POOL_2D", x);
  return {};
}

/// Over all of the plane: a reduction, which keeps its axes.
Status global_pool(Rewrite& rewrite, std::string_view op) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  std::vector<std::int64_t> axes;
  for (std::size_t i = 2; i < shape.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  rewrite.add(op, {rewrite.input(0), rewrite.int32s("axes", axes)}, {rewrite.output()}, {{"keep_dims", std::int64_t{1}}});
  return {};
}
Status global_average_pool(Rewrite& rewrite) { return global_pool(rewrite, "MEAN"); }
Status global_max_pool(Rewrite& rewrite) { return global_pool(rewrite, "REDUCE_MAX"); }

constexpr Conversion kRows[] = {
    {"AveragePool", average_pool},      {"Conv", conv},        {"GlobalAveragePool", global_average_pool},
    {"GlobalMaxPool", global_max_pool}, {"MaxPool", max_pool},
};

}  // namespace

extern const ConversionSet kToTflite_window;
const ConversionSet kToTflite_window{kRows};

}  // namespace moru::model::convert
