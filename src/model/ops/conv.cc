// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/window.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {
    {"X", "[N, C, spatial...]"}, {"W", "[O, C/group, kernel...]"}, {"B", "[O], added to each output channel", true}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, O, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    {"auto_pad", AttributeKind::kString, "NOTSET (use pads), SAME_UPPER, SAME_LOWER or VALID"},
    {"dilations", AttributeKind::kInts, "distance of the kernel's taps, one a spatial axis; 1"},
    {"group", AttributeKind::kInt, "channels are split into so many independent convolutions; 1"},
    {"kernel_shape", AttributeKind::kInts, "must be W's; taken from W when left out"},
    {"pads", AttributeKind::kInts, "zeros before each spatial axis, then after each; 0"},
    {"strides", AttributeKind::kInts, "step of the window, one a spatial axis; 1"},
};
constexpr OpExample kExamples[] = {{"A 2x2 kernel of ones sums its window", R"(graph "conv" {
  init x = float32[1, 1, 3, 3] {1, 2, 3, 4, 5, 6, 7, 8, 9}
  init w = float32[1, 1, 2, 2] {1, 1, 1, 1}
  y = Conv(x, w)
  output y
})",
                                    "float32[1, 1, 2, 2] {12, 16, 24, 28}"},
                                   {"One kernel a channel (group 2), padding and bias", R"(graph "depthwise" {
  init x = float32[1, 2, 1, 3] {1, 2, 3, 4, 5, 6}
  init w = float32[2, 1, 1, 3] {1, 1, 1, 0, 2, 0}
  init b = float32[2] {0, 0.5}
  y = Conv(x, w, b) {group = 2, pads = [0, 1, 0, 1]}
  output y
})",
                                    "float32[1, 2, 1, 3] {3, 6, 5, 8.5, 10.5, 12.5}"}};

/// Channels and groups fit each other.
Status check_channels(const InferContext& context, const SymbolicShape& x, const SymbolicShape& w, std::int64_t group) {
  if (group < 1 || group > ops::kMaxExtent)
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'group': found {}, expected 1 or more", group));
  if (w[0].known() && w[0].value % group != 0) {
    return ops::input_error(context, 1, fmt::format("found {} output channels, expected a multiple of group {}", w[0].value, group));
  }
  if (!x[1].known() || !w[1].known()) return {};
  if (x[1].value % group != 0 || x[1].value / group != w[1].value) {
    return ops::input_error(
        context, 1,
        fmt::format("found {} channels a group in {}, expected {} / {} as of input 0 (X)", w[1].value, to_string(w), x[1].value, group));
  }
  return {};
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kFloatOnly));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* w = ops::shape_of(context, 1);
  context.set_output(0, {dtype, std::nullopt});
  if (x == nullptr || w == nullptr) return {};
  if (x->size() < 3) return ops::input_error(context, 0, fmt::format("found shape {}, expected [N, C, spatial...]", to_string(*x)));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, x->size(), "[O, C/group, kernel...]"));
  MORU_ASSIGN_OR_RETURN(const std::int64_t group, int_attribute(context.node(), "group", 1));
  MORU_RETURN_IF_ERROR(check_channels(context, *x, *w, group));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 1, "[O]"));
  if (context.has_input(2)) MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 0, (*w)[0], "an entry an output channel"));

  SymbolicShape y(x->size());
  y[0] = (*x)[0];
  y[1] = (*w)[0];
  std::vector<std::int64_t> kernel;
  for (std::size_t i = 2; i < w->size(); ++i) kernel.push_back((*w)[i].value);
  const bool known = std::ranges::none_of(kernel, [](std::int64_t k) { return k < 0; });
  if (known || context.node().attributes.contains("kernel_shape")) {
    MORU_ASSIGN_OR_RETURN(const auto window, ops::read_window(context.node(), kernel));
    for (std::size_t i = 0; i < window.rank(); ++i)
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, i + 2, {window.kernel[i], {}}, "kernel_shape"));
    MORU_ASSIGN_OR_RETURN(const auto extents, ops::output_extents(window, std::span(*x).subspan(2)));
    std::ranges::copy(extents, y.begin() + 2);
  }
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

/// One input channel through one kernel: sum[o] += sum over taps of w[tap] * x[o * stride - pad + tap * dilation].
/// Taps are the outer loop, so that the inner one is a plain run along a row.
void add_channel(const ops::Window& window, std::span<const std::int64_t> in, std::span<const std::int64_t> out, const float* x,
                 const float* w, double* sum) {
  const std::size_t last = window.rank() - 1;
  const auto in_strides = ops::strides_of(in);
  const std::span<const std::int64_t> out_rows = out.first(last);
  std::vector<std::int64_t> tap(window.rank(), 0);
  std::vector<std::int64_t> row(last, 0);
  do {
    const double weight = *w++;
    // Along a row: the outputs whose input at this tap is not padding.
    const std::int64_t offset = tap[last] * window.dilations[last] - window.pads_begin[last];
    const std::int64_t stride = window.strides[last];
    const std::int64_t begin = offset < 0 ? (-offset + stride - 1) / stride : 0;
    const std::int64_t end = offset >= in[last] ? 0 : std::min(out[last], (in[last] - 1 - offset) / stride + 1);
    double* to = sum;
    do {
      const float* from = x + offset;
      bool inside = true;
      for (std::size_t axis = 0; axis < last; ++axis) {
        const std::int64_t at = row[axis] * window.strides[axis] - window.pads_begin[axis] + tap[axis] * window.dilations[axis];
        inside = inside && at >= 0 && at < in[axis];
        from += at * in_strides[axis];
      }
      if (inside) {
        for (std::int64_t i = begin; i < end; ++i) to[i] += weight * static_cast<double>(from[i * stride]);
      }
      to += out[last];
    } while (ops::next_index(row, out_rows));
  } while (ops::next_index(tap, window.kernel));
}

Status reference(EvalContext& context) {
  const Dims& x_dims = context.input(0).dims();
  const Dims& w_dims = context.input(1).dims();
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const std::span<const std::int64_t> in = std::span(x_dims).subspan(2);
  const std::span<const std::int64_t> out = std::span(y.dims()).subspan(2);
  MORU_ASSIGN_OR_RETURN(auto window, ops::read_window(context.node, std::span(w_dims).subspan(2)));
  ops::resolve_padding(window, in);
  MORU_ASSIGN_OR_RETURN(const std::int64_t group, int_attribute(context.node, "group", 1));

  const std::int64_t in_size = ops::product_of(in);
  const std::int64_t out_size = ops::product_of(out);
  const std::int64_t kernel_size = ops::product_of(window.kernel);
  const std::int64_t group_inputs = w_dims[1];
  const std::int64_t group_outputs = w_dims[0] / group;
  const float* x = context.input(0).data<float>().data();
  const float* w = context.input(1).data<float>().data();
  const float* bias = context.has_input(2) ? context.input(2).data<float>().data() : nullptr;
  float* to = y.mutable_data<float>().data();
  std::vector<double> sum(static_cast<std::size_t>(out_size));
  for (std::int64_t n = 0; n < x_dims[0]; ++n) {
    for (std::int64_t o = 0; o < w_dims[0]; ++o) {
      std::ranges::fill(sum, bias != nullptr ? static_cast<double>(bias[o]) : 0.0);
      for (std::int64_t c = 0; c < group_inputs; ++c) {
        const std::int64_t channel = o / group_outputs * group_inputs + c;
        add_channel(window, in, out, x + (n * x_dims[1] + channel) * in_size, w + (o * group_inputs + c) * kernel_size, sum.data());
      }
      for (const double value : sum) *to++ = static_cast<float>(value);
    }
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_conv;
const OpSpec kOp_conv{
    .name = "Conv",
    .domain = "",
    .since = 11,
    .doc =
        "Slides a kernel over one or more spatial axes. X [N, C, spatial...], W [O, C/group, kernel...] -> Y [N, O, spatial...]: "
        "Y[n, o, p] = B[o] + sum over c, k of W[o, c, k] * X[n, c, p * stride - pad + k * dilation].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
