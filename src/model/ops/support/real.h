// SPDX-License-Identifier: Apache-2.0
// Ops on real numbers compute in double, whatever float type their tensors have: read once, rounded once.
#pragma once

#include <initializer_list>
#include <span>
#include <type_traits>

#include "core/result.h"
#include "model/tensor/tensor.h"

namespace moru::model::ops {

/// The float types of ops that compute in double.
inline constexpr std::initializer_list<DType> kReals = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16};

/// x as T, to nearest; floats of 16 bits are rounded by way of float, as engines that compute in float do.
template <class T>
T rounded(double x) {
  if constexpr (std::is_same_v<T, double>) {
    return x;
  } else {
    return static_cast<T>(static_cast<float>(x));
  }
}

/// The elements as float64; shares the memory when they are float64 already. Errors: kUnsupported for a type that is no
/// float, kResourceExhausted when memory is not to be had.
Result<Tensor> to_float64(const Tensor& tensor);

/// Rounds each value to `out`'s type. As many values as elements.
Status round_into(std::span<const double> values, Tensor& out);

}  // namespace moru::model::ops
