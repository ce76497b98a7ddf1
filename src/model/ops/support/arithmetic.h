// SPDX-License-Identifier: Apache-2.0
// What Add, Sub, Mul and Div share.
#pragma once

#include <type_traits>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

namespace moru::model::ops {

/// C has the shape that A and B stretch to, and their type.
Status infer_arithmetic(InferContext& context);

/// Integers wrap around, as in ONNX Runtime; they are computed in 64 unsigned bits, where that is defined.
template <class T>
T wrap_add(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a + b;
  } else {
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  }
}
template <class T>
T wrap_subtract(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a - b;
  } else {
    return static_cast<T>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
  }
}
template <class T>
T wrap_multiply(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a * b;
  } else {
    return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
  }
}

/// f(a, b) for each pair of elements of inputs 0 and 1.
template <class F>
Status reference_arithmetic(EvalContext& context, F f) {
  return for_numeric_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    for_each_broadcast<T>(context.input(0), context.input(1), context.outputs[0], [&](T a, T b) { return f.template operator()<T>(a, b); });
    return {};
  });
}

}  // namespace moru::model::ops
