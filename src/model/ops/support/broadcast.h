// SPDX-License-Identifier: Apache-2.0
// Walks over tensors that stretch to one shape (NumPy's rule: axes are aligned at the last one, an extent of 1 stretches).
#pragma once

#include <array>

#include "model/ops/support/types.h"

namespace moru::model::ops {

/// Calls visit(i, at) for each element i of the output, in order; at[k] is the element of input k that meets it.
template <std::size_t kInputs, class F>
void walk_broadcast(const std::array<std::span<const std::int64_t>, kInputs>& inputs, std::span<const std::int64_t> output, F visit) {
  const Dims dims = output.empty() ? Dims{1} : Dims(output.begin(), output.end());
  if (product_of(dims) == 0) return;
  std::array<std::vector<std::int64_t>, kInputs> strides;
  for (std::size_t k = 0; k < kInputs; ++k) strides[k] = broadcast_strides(inputs[k], dims);
  const std::span<const std::int64_t> outer(dims.data(), dims.size() - 1);
  std::vector<std::int64_t> index(outer.size(), 0);
  std::size_t i = 0;
  do {
    std::array<std::size_t, kInputs> at{};
    for (std::size_t k = 0; k < kInputs; ++k) {
      for (std::size_t axis = 0; axis < outer.size(); ++axis) at[k] += static_cast<std::size_t>(index[axis] * strides[k][axis]);
    }
    for (std::int64_t n = 0; n < dims.back(); ++n) {
      visit(i++, at);
      for (std::size_t k = 0; k < kInputs; ++k) at[k] += static_cast<std::size_t>(strides[k].back());
    }
  } while (next_index(index, outer));
}

/// out = f(a, b), element by element; A, B and C are the tensors' types.
template <class A, class B, class C, class F>
void zip(const Tensor& a, const Tensor& b, Tensor& out, F f) {
  const auto x = a.data<A>();
  const auto y = b.data<B>();
  const auto z = out.mutable_data<C>();
  walk_broadcast<2>({a.dims(), b.dims()}, out.dims(), [&](std::size_t i, const auto& at) { z[i] = f(x[at[0]], y[at[1]]); });
}

}  // namespace moru::model::ops
