// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/convolution.h"
#include "model/ops/support/real.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {
    {"X", "[N, C, spatial...]"}, {"W", "[O, C/group, kernel...]"}, {"B", "[O], added to each output channel", true}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, O, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    ops::kAutoPad,
    ops::kDilations,
    ops::kGroup,
    {"kernel_shape", AttributeKind::kInts, "must be W's; taken from W when left out"},
    {"pads", AttributeKind::kInts, "zeros before each spatial axis, then after each; 0"},
    ops::kStrides,
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

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kReals));
  const auto inferred = ops::infer_convolution(context, 0, 1, 2);
  if (!inferred) return fail(inferred.error());
  const std::optional<SymbolicShape>& shape = *inferred;
  context.set_output(0, {dtype, shape});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const auto convolution,
                        ops::read_convolution(context.node, context.input(0).dims(), context.input(1).dims(), y.dims()));
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(context.input(0)));
  MORU_ASSIGN_OR_RETURN(const Tensor w, ops::to_float64(context.input(1)));
  MORU_ASSIGN_OR_RETURN(const Tensor b, ops::to_float64(context.has_input(2) ? context.input(2) : Tensor()));
  const auto bias = b.data<double>();
  return ops::for_float_dtype(y.dtype(), [&]<class T>() -> Status {
    T* to = y.mutable_data<T>().data();
    ops::convolve<double>(
        convolution, x.data<double>(), w.data<double>(), [&](std::size_t o) { return bias.empty() ? 0.0 : bias[o]; },
        [&](std::size_t, std::span<const double> sums) {
          to = std::ranges::transform(sums, to, [](double sum) { return ops::rounded<T>(sum); }).out;
        });
    return {};
  });
}

std::optional<std::int64_t> macs(const InferContext& context) { return ops::convolution_macs(context, 1); }

}  // namespace

extern const OpSpec kOp_conv;
const OpSpec kOp_conv{
    .name = "Conv",
    .domain = "",
    .since = 1,
    .doc =
        "Slides a kernel over one or more spatial axes. X [N, C, spatial...], W [O, C/group, kernel...] -> Y [N, O, spatial...]: "
        "Y[n, o, p] = B[o] + sum over c, k of W[o, c, k] * X[n, c, p * stride - pad + k * dilation].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
