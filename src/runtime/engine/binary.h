// SPDX-License-Identifier: Apache-2.0
// Two tensors, element by element, stretched to one shape.
#pragma once

#include <type_traits>

#include "runtime/engine/elements.h"

namespace moru::runtime::engine {

/// Adds y = clamp(map(a, b), bounds) on floats that stretch to the shape of y.
void add_binary(Lowering& lowering, const Stored& a, const Stored& b, const Stored& y, kernels::BinaryMap map, Bounds bounds);

/// Lowers a node of one or more float inputs: all of them by `map`, from the left, and the result times `factor`.
Status lower_variadic(Lowering& lowering, const model::Node& node, kernels::BinaryMap map, float factor = 1);

/// Lowers a node with two float inputs and one output. kUnsupported for other types.
Status lower_binary(Lowering& lowering, const model::Node& node, kernels::BinaryMap map);

/// The same, and f for integers of 32 and 64 bits, which is given unsigned ones where `kWraps`: they wrap around.
template <bool kWraps, class F>
Status lower_binary(Lowering& lowering, const model::Node& node, kernels::BinaryMap map, F f) {
  MORU_ASSIGN_OR_RETURN(const model::DType dtype, dtype_of(lowering, node, 0));
  const auto lower_integers = [&]<class T>() {
    using Number = std::conditional_t<kWraps, std::make_unsigned_t<T>, T>;
    return lower_elements<Number, Number, Number>(lowering, node, f);
  };
  if (dtype == model::DType::kInt32) return lower_integers.template operator()<std::int32_t>();
  if (dtype == model::DType::kInt64) return lower_integers.template operator()<std::int64_t>();
  return lower_binary(lowering, node, map);
}

}  // namespace moru::runtime::engine
