// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "model/ops/support/convolution.h"
#include "model/ops/support/real.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {
    {"X", "[N, C, spatial...]"}, {"W", "[C, O/group, kernel...]"}, {"B", "[O], added to each output channel", true}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, O, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    {"auto_pad", AttributeKind::kString, "NOTSET (use pads), SAME_UPPER or SAME_LOWER (output = input * stride) or VALID"},
    ops::kDilations,
    ops::kGroup,
    {"kernel_shape", AttributeKind::kInts, "must be W's; taken from W when left out"},
    {"output_padding", AttributeKind::kInts, "added behind each spatial axis of the output; 0"},
    {"output_shape", AttributeKind::kInts, "spatial extents of Y; pads follow from it, and those given mean nothing"},
    {"pads", AttributeKind::kInts, "taken off before each spatial axis of the output, then after each; 0"},
    {"strides", AttributeKind::kInts, "distance of the inputs in the output, one a spatial axis; 1"},
};
constexpr OpExample kExamples[] = {{"Each input stamps the kernel into the output", R"(graph "conv_transpose" {
  init x = float32[1, 1, 2] {1, 10}
  init w = float32[1, 1, 3] {1, 2, 3}
  y = ConvTranspose(x, w) {strides = [2]}
  output y
})",
                                    "float32[1, 1, 5] {1, 2, 13, 20, 30}"},
                                   {"A given output shape", R"(graph "output_shape" {
  init x = float32[1, 1, 2] {1, 10}
  init w = float32[1, 1, 3] {1, 2, 3}
  init b = float32[1] {0.5}
  y = ConvTranspose(x, w, b) {output_shape = [4], strides = [2]}
  output y
})",
                                    "float32[1, 1, 4] {2.5, 13.5, 20.5, 30.5}"}};

constexpr std::int64_t kMaxNumber = std::int64_t{1} << 20U;

/// The window with pads_begin as it is, and the output's extents, known as far as the input's are.
struct Plan {
  ops::Window window;
  std::vector<Dim> out;
};

Result<std::vector<std::int64_t>> read_extras(const Node& node, std::string_view name, std::size_t rank, std::int64_t most) {
  MORU_ASSIGN_OR_RETURN(auto numbers, ints_attribute(node, name, {}));
  if (!numbers.empty() && numbers.size() != rank) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found {} numbers, expected {}", name, numbers.size(), rank));
  }
  for (const std::int64_t number : numbers) {
    if (number >= 0 && number <= most) continue;
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found {}, expected 0 to {}", name, number, most));
  }
  return numbers;
}

Result<Plan> make_plan(const Node& node, std::span<const Dim> in, std::span<const std::int64_t> kernel) {
  const std::size_t rank = kernel.size();
  Plan plan;
  MORU_ASSIGN_OR_RETURN(plan.window, ops::read_window(node, kernel));
  MORU_ASSIGN_OR_RETURN(const auto wanted, read_extras(node, "output_shape", rank, ops::kMaxExtent));
  MORU_ASSIGN_OR_RETURN(auto behind, read_extras(node, "output_padding", rank, kMaxNumber));
  behind.resize(rank, 0);
  ops::Window& window = plan.window;
  const bool upper = window.auto_pad == ops::AutoPad::kSameUpper;
  const bool same = upper || window.auto_pad == ops::AutoPad::kSameLower;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    plan.out.push_back(wanted.empty() ? Dim{} : Dim{wanted[axis], {}});
    if (!in[axis].known()) continue;
    const std::int64_t whole = std::max<std::int64_t>(in[axis].value - 1, 0) * window.strides[axis] + behind[axis] + window.reach(axis);
    if (same || !wanted.empty()) {
      const std::int64_t extent = wanted.empty() ? in[axis].value * window.strides[axis] : wanted[axis];
      const std::int64_t total = std::max<std::int64_t>(whole - extent, 0);
      window.pads_begin[axis] = upper ? total / 2 : total - total / 2;
      plan.out[axis] = {extent, {}};
      continue;
    }
    const std::int64_t extent = whole - window.pads_begin[axis] - window.pads_end[axis];
    if (extent < 1) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("attribute 'pads': found {} and {} on spatial axis {}, expected them to leave something of {}",
                              window.pads_begin[axis], window.pads_end[axis], axis, whole));
    }
    plan.out[axis] = {extent, {}};
  }
  return plan;
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kReals));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* w = ops::shape_of(context, 1);
  MORU_ASSIGN_OR_RETURN(const std::int64_t group, ops::read_group(context.node()));
  context.set_output(0, {dtype, std::nullopt});
  if (x == nullptr || w == nullptr) return {};
  if (x->size() < 3) return ops::input_error(context, 0, fmt::format("found shape {}, expected [N, C, spatial...]", to_string(*x)));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, x->size(), "[C, O/group, kernel...]"));
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, 0, (*x)[1], "the channels of X"));
  if ((*x)[1].known() && (*x)[1].value % group != 0)
    return ops::input_error(context, 0, fmt::format("found {} channels, expected a multiple of group {}", (*x)[1].value, group));
  SymbolicShape y(x->size());
  y[0] = (*x)[0];
  if ((*w)[1].known()) {
    if ((*w)[1].value > ops::kMaxExtent / group) return ops::input_error(context, 1, "found more than 2^40 output channels, expected less");
    y[1] = {(*w)[1].value * group, {}};
  }
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 1, "[O]"));
  if (context.has_input(2)) MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 0, y[1], "an entry an output channel"));
  std::vector<std::int64_t> kernel;
  for (std::size_t i = 2; i < w->size(); ++i) kernel.push_back((*w)[i].value);
  const bool known = std::ranges::none_of(kernel, [](std::int64_t k) { return k < 0; });
  if (known || context.node().attributes.contains("kernel_shape")) {
    MORU_ASSIGN_OR_RETURN(const auto plan, make_plan(context.node(), std::span(*x).subspan(2), kernel));
    for (std::size_t i = 0; i < plan.window.rank(); ++i)
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, i + 2, {plan.window.kernel[i], {}}, "kernel_shape"));
    std::ranges::copy(plan.out, y.begin() + 2);
  }
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

/// One input channel through one kernel: sum[i * stride - pad + tap * dilation] += w[tap] * x[i].
void stamp_channel(const ops::Window& window, std::span<const std::int64_t> in, std::span<const std::int64_t> out, const double* x,
                   const double* w, double* sum) {
  const auto out_strides = ops::strides_of(out);
  std::vector<std::int64_t> tap(window.rank(), 0);
  std::vector<std::int64_t> place(window.rank(), 0);
  do {
    const double weight = *w++;
    const double* from = x;
    do {
      std::int64_t to = 0;
      bool inside = true;
      for (std::size_t axis = 0; axis < place.size(); ++axis) {
        const std::int64_t at = place[axis] * window.strides[axis] - window.pads_begin[axis] + tap[axis] * window.dilations[axis];
        inside = inside && at >= 0 && at < out[axis];
        to += at * out_strides[axis];
      }
      if (inside) sum[to] += weight * *from;
      ++from;
    } while (ops::next_index(place, in));
  } while (ops::next_index(tap, window.kernel));
}

Status reference(EvalContext& context) {
  const Dims& x_dims = context.input(0).dims();
  const Dims& w_dims = context.input(1).dims();
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const std::int64_t group, ops::read_group(context.node));
  const auto in = std::span(x_dims).subspan(2);
  const auto out = std::span(y.dims()).subspan(2);
  std::vector<Dim> in_dims;
  for (const std::int64_t extent : in) in_dims.push_back({extent, {}});
  MORU_ASSIGN_OR_RETURN(const Plan plan, make_plan(context.node, in_dims, std::span(w_dims).subspan(2)));
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(context.input(0)));
  MORU_ASSIGN_OR_RETURN(const Tensor w, ops::to_float64(context.input(1)));
  MORU_ASSIGN_OR_RETURN(const Tensor b, ops::to_float64(context.has_input(2) ? context.input(2) : Tensor()));
  MORU_ASSIGN_OR_RETURN(Tensor sums, Tensor::create(DType::kFloat64, y.dims()));
  const std::int64_t in_size = ops::product_of(in);
  const std::int64_t out_size = ops::product_of(out);
  const std::int64_t kernel_size = ops::product_of(plan.window.kernel);
  const std::int64_t outputs = y.dims()[1];
  const std::int64_t group_inputs = x_dims[1] / group;
  double* sum = sums.mutable_data<double>().data();
  for (std::int64_t i = 0; i < x_dims[0] * outputs; ++i, sum += out_size) {
    const std::int64_t n = i / outputs;
    const std::int64_t o = i % outputs;
    if (b.count() > 0) std::fill_n(sum, out_size, b.data<double>()[static_cast<std::size_t>(o)]);
    if (in_size == 0) continue;
    for (std::int64_t c = o / w_dims[1] * group_inputs; c < (o / w_dims[1] + 1) * group_inputs; ++c) {
      stamp_channel(plan.window, in, out, x.data<double>().data() + (n * x_dims[1] + c) * in_size,
                    w.data<double>().data() + (c * w_dims[1] + o % w_dims[1]) * kernel_size, sum);
    }
  }
  return ops::round_into(sums.data<double>(), y);
}

/// Each element of the input is multiplied with its channel's kernels.
std::optional<std::int64_t> macs(const InferContext& context) {
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* w = ops::shape_of(context, 1);
  if (x == nullptr || w == nullptr || w->empty()) return std::nullopt;
  SymbolicShape dims = *x;
  dims.insert(dims.end(), w->begin() + 1, w->end());
  std::int64_t product = 1;
  for (const Dim& dim : dims) {
    if (!dim.known()) return std::nullopt;
    if (__builtin_mul_overflow(product, dim.value, &product)) return std::numeric_limits<std::int64_t>::max();
  }
  return product;
}

}  // namespace

extern const OpSpec kOp_conv_transpose;
const OpSpec kOp_conv_transpose{
    .name = "ConvTranspose",
    .domain = "",
    .since = 1,
    .doc =
        "The transpose of Conv: each input adds its kernel to the output. X [N, C, spatial...], W [C, O/group, kernel...] -> Y [N, O, "
        "spatial...]: Y[n, o, i * stride - pad + k * dilation] += X[n, c, i] * W[c, o, k], from B[o] on; "
        "extents are stride * (in - 1) + output_padding + dilation * (kernel - 1) + 1 - pads.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
