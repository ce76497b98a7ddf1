// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/ops/support/convolution.h"
#include "model/ops/support/integers.h"

namespace moru::model {
namespace {

enum Input : std::size_t { kX, kW, kScales, kB };
constexpr PortSpec kInputs[] = {{"x", "float32, [N, C, spatial...]"},
                                {"w", "int8, [O, C/group, kernel...]"},
                                {"scales", "float32, a scalar or [O]: what a step of w is worth"},
                                {"B", "float32 [O]; 0", true}};
constexpr PortSpec kOutputs[] = {{"y", "float32, [N, O, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    ops::kAutoPad,
    ops::kDilations,
    ops::kGroup,
    {"kernel_shape", AttributeKind::kInts, "must be w's; taken from w when left out"},
    {"pads", AttributeKind::kInts, "padding (of 0) before each spatial axis, then after each; 0"},
    ops::kStrides,
};
constexpr OpExample kExamples[] = {{"127 steps to the largest magnitude", R"(graph "hybrid" {
  init x = float32[1, 1, 3] {-254, 127, 3}
  init w = int8[1, 1, 1] {10}
  init scales = float32[] {0.5}
  init b = float32[1] {1}
  y = moru::HybridConv(x, w, scales, b)
  output y
})",
                                    "float32[1, 1, 3] {-1269, 641, 21}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, kX, ops::kFloatOnly));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, kW, {DType::kInt8}));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, kScales, ops::kFloatOnly));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, kB, ops::kFloatOnly));
  MORU_ASSIGN_OR_RETURN(auto shape, ops::infer_convolution(context, kX, kW, kB));
  if (shape) MORU_RETURN_IF_ERROR(ops::expect_single_or(context, kScales, (*shape)[1], "an entry an output channel"));
  context.set_output(0, {DType::kFloat32, std::move(shape)});
  return {};
}

/// The images as levels from -127 to 127, with the roundings of TFLite's reference kernels; and the step of each.
std::vector<float> to_levels(std::span<const float> x, std::size_t images, std::span<std::int32_t> levels) {
  constexpr float kLeast = 0x1p-120F;            // an image of zeros has a step
  constexpr float kBeforeHalf = 0x1.fffffep-2F;  // with 1/2 itself the float before 1/2 would become 1
  constexpr float kMost = 127;
  const std::size_t size = x.size() / images;
  std::vector<float> steps;
  for (std::size_t n = 0; n < images; ++n) {
    float range = kLeast;
    for (const float value : x.subspan(n * size, size)) range = std::max(range, std::abs(value));
    const float inverse = kMost / range;
    for (std::size_t i = n * size; i < (n + 1) * size; ++i) {
      const float magnitude = std::min(std::floor(std::abs(x[i]) * inverse + kBeforeHalf), kMost);
      levels[i] = std::isnan(magnitude) ? 0 : static_cast<std::int32_t>(std::copysign(magnitude, x[i]));
    }
    steps.push_back(range / kMost);
  }
  return steps;
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const Tensor& x = context.input(kX);
  MORU_ASSIGN_OR_RETURN(const auto convolution, ops::read_convolution(context.node, x.dims(), context.input(kW).dims(), y.dims()));
  std::vector<std::int32_t> levels(static_cast<std::size_t>(x.count()));
  const auto steps = to_levels(x.data<float>(), static_cast<std::size_t>(convolution.batch), levels);
  const auto narrow = context.input(kW).data<std::int8_t>();
  const std::vector<std::int32_t> weights(narrow.begin(), narrow.end());
  const auto scales = context.input(kScales).data<float>();
  const auto bias = context.has_input(kB) ? context.input(kB).data<float>() : std::span<const float>();
  float* to = y.mutable_data<float>().data();
  std::size_t planes = 0;
  ops::convolve<std::int64_t>(
      convolution, std::span<const std::int32_t>(levels), std::span<const std::int32_t>(weights),
      [](std::size_t /*o*/) { return std::int64_t{0}; },
      [&](std::size_t o, std::span<const std::int64_t> sums) {
        const float step = steps[planes++ / static_cast<std::size_t>(convolution.outputs)];
        for (const std::int64_t sum : sums) {
          const float real = static_cast<float>(sum) * scales[scales.size() == 1 ? 0 : o] * step;
          *to++ = bias.empty() ? real : real + bias[o];
        }
      });
  return {};
}

std::optional<std::int64_t> macs(const InferContext& context) { return ops::convolution_macs(context, kW); }

}  // namespace

extern const OpSpec kOp_moru_hybrid_conv;
const OpSpec kOp_moru_hybrid_conv{
    .name = "HybridConv",
    .domain = "moru",
    .since = 1,
    .doc =
        "Conv of floats and int8 weights on levels that each run makes: of an image, range = max(|x|, 2^-120), level = sign(x) * "
        "floor(|x| * (127 / range) + 1/2), the 1/2 being the float before it; y = float32(sum of level * w) * scales[o] * (range / 127) + "
        "B[o], each of these rounded to float32. What TFLite's convolutions with one scale do.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
