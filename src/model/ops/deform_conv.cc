// SPDX-License-Identifier: Apache-2.0
// Deformable convolution, version 2 (Zhu et al., 2019): each tap has an offset, computed by another layer, and a weight.
#include <fmt/format.h>

#include <cmath>

#include "model/ops/support/convolution.h"
#include "model/ops/support/real.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, H, W]"},
                                {"W", "[O, C/group, kH, kW]"},
                                {"offset", "[N, offset_group * kH * kW * 2, oH, oW]: how far each tap moves down, then right"},
                                {"B", "[O], added to each output channel; 0", true},
                                {"mask", "[N, offset_group * kH * kW, oH, oW], a factor of each tap; 1", true}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, O, oH, oW]"}};
constexpr AttributeSpec kAttributes[] = {
    ops::kDilations,
    ops::kGroup,
    {"kernel_shape", AttributeKind::kInts, "must be W's; taken from W when left out"},
    {"offset_group", AttributeKind::kInt, "input channels are split into so many runs with offsets of their own; 1"},
    {"pads", AttributeKind::kInts, "zeros before each spatial axis, then after each; 0"},
    ops::kStrides,
};
constexpr OpExample kExamples[] = {{"A tap moved right by a half lies between two elements", R"(graph "deform_conv" {
  init x = float32[1, 1, 1, 2] {2, 4}
  init w = float32[1, 1, 1, 1] {1}
  init offset = float32[1, 2, 1, 2] {0, 0, 0.5, 0.5}
  y = DeformConv(x, w, offset)
  output y
})",
                                    "float32[1, 1, 1, 2] {3, 2}"}};

Result<std::int64_t> read_offset_group(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t group, int_attribute(node, "offset_group", 1));
  if (group >= 1 && group <= (std::int64_t{1} << 16U)) return group;
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'offset_group': found {}, expected 1 to 2^16", group));
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kReals));
  MORU_ASSIGN_OR_RETURN(const std::int64_t offset_group, read_offset_group(context.node()));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* w = ops::shape_of(context, 1);
  if (x != nullptr && x->size() != 4)
    return fail(ErrorCode::kUnsupported, fmt::format("input 0 (X): found shape {}, expected [N, C, H, W]", to_string(*x)));
  const auto inferred = ops::infer_convolution(context, 0, 1, 3);
  if (!inferred) return fail(inferred.error());
  const std::optional<SymbolicShape>& y = *inferred;
  for (const std::size_t i : {2U, 4U}) {
    if (!context.has_input(i)) continue;
    MORU_RETURN_IF_ERROR(ops::expect_rank(context, i, 4, "[N, taps, oH, oW]"));
    if (!y) continue;
    for (const std::size_t axis : {0U, 2U, 3U}) MORU_RETURN_IF_ERROR(ops::expect_extent(context, i, axis, (*y)[axis], "as Y"));
    if (!(*w)[2].known() || !(*w)[3].known()) continue;
    const std::int64_t taps = (*w)[2].value * (*w)[3].value * offset_group;
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, i, 1, {i == 2 ? 2 * taps : taps, {}}, "an entry a tap"));
  }
  if (x != nullptr && (*x)[1].known() && (*x)[1].value % offset_group != 0)
    return ops::input_error(context, 0,
                            fmt::format("found {} channels, expected a multiple of offset_group {}", (*x)[1].value, offset_group));
  context.set_output(0, {dtype, y});
  return {};
}

/// The plane between its elements, zero outside.
double bilinear(const double* plane, std::int64_t height, std::int64_t width, double y, double x) {
  if (!(y > -1 && x > -1 && y < static_cast<double>(height) && x < static_cast<double>(width))) return 0;
  const auto top = static_cast<std::int64_t>(std::floor(y));
  const auto left = static_cast<std::int64_t>(std::floor(x));
  const double down = y - std::floor(y);
  const double right = x - std::floor(x);
  const auto at = [&](std::int64_t row, std::int64_t column) {
    return row < 0 || column < 0 || row >= height || column >= width ? 0.0 : plane[row * width + column];
  };
  return (1 - down) * ((1 - right) * at(top, left) + right * at(top, left + 1)) +
         down * ((1 - right) * at(top + 1, left) + right * at(top + 1, left + 1));
}

/// Inputs in double, and where a tap is.
struct Deformation {
  const ops::Convolution& convolution;
  const double* x;
  const double* w;
  const double* offset;
  const double* mask;  ///< null: 1
  std::int64_t offset_group;

  /// Y[n, o, row, column] without the bias.
  double sum(std::int64_t n, std::int64_t o, std::int64_t row, std::int64_t column) const {
    const auto& window = convolution.window;
    const std::int64_t taps = window.kernel[0] * window.kernel[1];
    const std::int64_t place = row * convolution.out[1] + column;
    const std::int64_t out_size = convolution.out[0] * convolution.out[1];
    const std::int64_t group_inputs = convolution.channels / convolution.group;
    const std::int64_t first = o / (convolution.outputs / convolution.group) * group_inputs;
    double total = 0;
    for (std::int64_t c = first; c < first + group_inputs; ++c) {
      const double* plane = x + (n * convolution.channels + c) * convolution.in[0] * convolution.in[1];
      const std::int64_t run = n * offset_group + c / (convolution.channels / offset_group);
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        const std::int64_t at = run * taps + tap;
        const auto base = [&](std::size_t axis, std::int64_t position, std::int64_t step) {
          return static_cast<double>(position * window.strides[axis] - window.pads_begin[axis] + step * window.dilations[axis]);
        };
        const double down = base(0, row, tap / window.kernel[1]) + offset[2 * at * out_size + place];
        const double right = base(1, column, tap % window.kernel[1]) + offset[(2 * at + 1) * out_size + place];
        const double factor = mask == nullptr ? 1.0 : mask[at * out_size + place];
        total +=
            w[(o * group_inputs + c - first) * taps + tap] * factor * bilinear(plane, convolution.in[0], convolution.in[1], down, right);
      }
    }
    return total;
  }
};

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const auto convolution,
                        ops::read_convolution(context.node, context.input(0).dims(), context.input(1).dims(), y.dims()));
  MORU_ASSIGN_OR_RETURN(const std::int64_t offset_group, read_offset_group(context.node));
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < 5; ++i) {
    MORU_ASSIGN_OR_RETURN(Tensor input, ops::to_float64(context.has_input(i) ? context.input(i) : Tensor()));
    inputs.push_back(std::move(input));
  }
  const auto bias = inputs[3].data<double>();
  const Deformation deformation{convolution,
                                inputs[0].data<double>().data(),
                                inputs[1].data<double>().data(),
                                inputs[2].data<double>().data(),
                                context.has_input(4) ? inputs[4].data<double>().data() : nullptr,
                                offset_group};
  return ops::for_float_dtype(y.dtype(), [&]<class T>() -> Status {
    T* to = y.mutable_data<T>().data();
    std::vector<std::int64_t> at(4, 0);
    do {
      const double start = bias.empty() ? 0.0 : bias[static_cast<std::size_t>(at[1])];
      *to++ = ops::rounded<T>(start + deformation.sum(at[0], at[1], at[2], at[3]));
    } while (ops::next_index(at, y.dims()));
    return {};
  });
}

std::optional<std::int64_t> macs(const InferContext& context) { return ops::convolution_macs(context, 1); }

}  // namespace

extern const OpSpec kOp_deform_conv;
const OpSpec kOp_deform_conv{
    .name = "DeformConv",
    .domain = "",
    .since = 19,
    .doc =
        "A convolution whose taps move. X [N, C, H, W], W [O, C/group, kH, kW] -> Y [N, O, oH, oW]: Y[n, o, p] = B[o] + sum over c, k of "
        "W[o, c, k] * mask[n, k, p] * X[n, c, p * stride - pad + k * dilation + offset[n, k, p]], X between its elements being bilinear.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
