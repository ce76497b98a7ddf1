// SPDX-License-Identifier: Apache-2.0
// Ops that only move elements do so by their bytes: one loop for all types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

namespace moru::model::ops {

/// kUnsupported when the elements of input `index` are not whole bytes that can be moved one by one.
Status expect_movable(const InferContext& context, std::size_t index);
/// The same for the inputs from `first` on, whose known types must also be equal; gives that type, if any is known.
Result<std::optional<DType>> common_movable(const InferContext& context, std::size_t first, std::size_t last);

/// Bytes of one element of a tensor that expect_movable() let pass.
std::size_t element_bytes(const Tensor& tensor);

/// Copies elements, or blocks of `block` elements, between two tensors of one type. Places are counted in blocks.
class ElementCopier {
 public:
  ElementCopier(const Tensor& from, Tensor& to, std::int64_t block = 1)
      : from_(from.bytes().data()), to_(to.mutable_bytes().data()), size_(element_bytes(from) * static_cast<std::size_t>(block)) {}
  void operator()(std::int64_t to, std::int64_t from) const {
    if (size_ != 0) std::memcpy(to_ + static_cast<std::size_t>(to) * size_, from_ + static_cast<std::size_t>(from) * size_, size_);
  }

 private:
  const std::byte* from_;
  std::byte* to_;
  std::size_t size_;
};

/// y[i] = x[source(i)] for each index tuple i of y, in order. `source` gives the place of an element of x, or -1 to leave y's
/// as it is.
template <class F>
void gather_elements(const Tensor& x, Tensor& y, F source) {
  if (y.count() == 0) return;
  const ElementCopier copy(x, y);
  std::vector<std::int64_t> index(y.rank(), 0);
  std::int64_t to = 0;
  do {
    const std::int64_t from = source(std::span<const std::int64_t>(index));
    if (from >= 0) copy(to, from);
    ++to;
  } while (next_index(index, y.dims()));
}

/// y[i] = x[start + sum over k of i[k] * strides[k]] with y seen as `dims`, which has as many elements.
void copy_strided(const Tensor& x, std::int64_t start, std::span<const std::int64_t> strides, std::span<const std::int64_t> dims,
                  Tensor& y);

/// x, seen as `dims`, with its axes in the order `perm`, into y.
void copy_permuted(const Tensor& x, std::span<const std::int64_t> dims, std::span<const std::int64_t> perm, Tensor& y);

/// Sets every element of y to the single element of `value`.
void fill(const Tensor& value, Tensor& y);

}  // namespace moru::model::ops
