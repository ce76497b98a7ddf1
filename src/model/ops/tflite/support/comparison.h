// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model::tflite_ops {

/// output = f(input1, input2). Quantised 8-bit integers are brought to reals of 8 fractional bits more than their scales first.
template <class F>
Status run_comparison(EvalContext& context, F f) {
  const DType dtype = context.input(0).dtype();
  const bool small = dtype == DType::kInt8 || dtype == DType::kUInt8;
  if (!small || !is_quantized(context.input_types, 0)) return ops::compare(context, f);
  constexpr std::int32_t kFiner = 1 << 8;
  MORU_ASSIGN_OR_RETURN(const Scale a, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale b, input_scale(context, 1));
  const Multiplier of_a = quantize_multiplier(static_cast<double>(a.scale));
  const Multiplier of_b = quantize_multiplier(static_cast<double>(b.scale));
  return ops::for_dtype<std::int8_t, std::uint8_t>(dtype, [&]<class T>() -> Status {
    ops::zip<T, T, bool>(context.input(0), context.input(1), context.outputs[0], [&](T x, T y) {
      return f(scale((std::int32_t{x} - a.zero_point) * kFiner, of_a), scale((std::int32_t{y} - b.zero_point) * kFiner, of_b));
    });
    return {};
  });
}

}  // namespace moru::model::tflite_ops
