// SPDX-License-Identifier: Apache-2.0
// What TFLite's ops share about scales, zero points and fused activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "model/ops/op.h"
#include "model/ops/tflite/support/fixed_point.h"

namespace moru::model::tflite_ops {

/// real = scale * (stored - zero_point)
struct Scale {
  float scale = 1;
  std::int32_t zero_point = 0;
};

/// The one scale of an input or output. kInvalidArgument when there is none, several, or one that is not above 0.
Result<Scale> input_scale(const EvalContext& context, std::size_t index);
Result<Scale> output_scale(const EvalContext& context, std::size_t index = 0);
/// One scale for each of `count` indices of `axis`; a single one is repeated. Zero points must be 0 when there are several.
Result<std::vector<float>> input_scales(const EvalContext& context, std::size_t index, std::int64_t count, std::int32_t axis);
/// Whether a value's integers stand for reals.
bool is_quantized(std::span<const ValueType> types, std::size_t index);

/// The range that `fused_activation_function` leaves: of reals, and of the stored integers of the output.
Result<std::pair<float, float>> float_range(const Node& node);
Result<std::pair<std::int32_t, std::int32_t>> stored_range(const Node& node, DType dtype, const Scale& output);
/// The range of a type alone.
std::pair<std::int32_t, std::int32_t> range_of(DType dtype);
/// Of integers that are numbers themselves.
template <class T>
Result<std::pair<T, T>> number_range(const Node& node) {
  constexpr auto kLow = std::numeric_limits<T>::lowest();
  constexpr auto kHigh = std::numeric_limits<T>::max();
  MORU_ASSIGN_OR_RETURN(const std::string name, string_attribute(node, "fused_activation_function", "NONE"));
  if (name == "RELU") return std::pair<T, T>(T{0}, kHigh);
  if (name == "RELU6") return std::pair<T, T>(T{0}, T{6});
  if (name == "RELU_N1_TO_1") return std::pair<T, T>(static_cast<T>(-1), T{1});
  if (name == "NONE") return std::pair<T, T>(kLow, kHigh);
  return fail(ErrorCode::kUnsupported, "fused_activation_function: found " + name + ", expected NONE, RELU, RELU6 or RELU_N1_TO_1");
}

/// Multipliers of convolution-like sums, one an output channel, and what is added to each.
struct Rescale {
  std::vector<Multiplier> multipliers;
  std::int32_t input_zero_point = 0;
  std::int32_t weight_zero_point = 0;
  std::int32_t output_zero_point = 0;
  std::pair<std::int32_t, std::int32_t> range;
};
/// `axis` is that of the weights' channels. The multiplier is made of the scales the way TFLite does it for the types.
Result<Rescale> convolution_rescale(const EvalContext& context, std::size_t input, std::size_t weight, std::int64_t channels,
                                    std::int32_t axis);

/// output = f(input) for 8-bit integers, by a table over all of them.
Status map_by_table(EvalContext& context, float (*f)(float));
/// output = f(input) for float32.
Status map_floats(EvalContext& context, float (*f)(float));
/// float32, and 8-bit integers by a table.
Status map_reals(EvalContext& context, float (*f)(float));

}  // namespace moru::model::tflite_ops
