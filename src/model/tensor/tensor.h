// SPDX-License-Identifier: Apache-2.0
// Dense row-major tensors: data with a type and a shape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/result.h"
#include "model/tensor/dtype.h"

namespace moru::model {

/// Extents, outermost first: [N, C, H, W]. {} is a scalar.
using Dims = std::vector<std::int64_t>;

/// Number of elements; kInvalidArgument for a negative extent, kResourceExhausted when count * element size would
/// exceed 2^40 bytes (so that later arithmetic on sizes cannot overflow).
Result<std::int64_t> element_count(std::span<const std::int64_t> dims, DType dtype);

/// "[1, 28, 28]"
std::string to_string(std::span<const std::int64_t> dims);

/// A borrowed, typed window on memory that someone else owns; valid while they keep it.
struct ConstTensorView {
  DType dtype = DType::kFloat32;
  std::span<const std::int64_t> dims;
  std::span<const std::byte> bytes;
};
struct TensorView {
  DType dtype = DType::kFloat32;
  std::span<const std::int64_t> dims;
  std::span<std::byte> bytes;
};

/// A tensor with memory of its own or borrowed, or sharing it with copies (copying a Tensor is cheap and shares the data;
/// clone() makes the data its own). Rows are contiguous, element (i, j) of [H, W] is at i * W + j; little-endian.
/// Memory is 64-byte aligned when made here. Threads: as std::shared_ptr to the data.
///
/// Elements of 4 bits lie two a byte, the first in the low bits; the last byte's spare bits are 0. The bytes of strings are
/// a table of count + 1 offsets (uint64) and then the characters: string i is [offset i, offset i + 1) of them.
class Tensor {
 public:
  /// An empty float32 tensor of shape [0].
  Tensor();
  /// Zeroed. Errors: those of element_count; kResourceExhausted when memory is not to be had.
  static Result<Tensor> create(DType dtype, Dims dims);
  /// `bytes` must be as many as the shape needs: kCorrupt otherwise, with both numbers.
  static Result<Tensor> from_bytes(DType dtype, Dims dims, std::span<const std::byte> bytes);
  /// A tensor on memory that `owner` keeps, a mapped file say; nothing is copied as long as nobody writes. Errors as
  /// from_bytes. data<T>() on memory that is not aligned for T makes an aligned copy once, for all copies of the tensor.
  static Result<Tensor> borrow(DType dtype, Dims dims, std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
  /// For values of our own whose shape is right by construction (checked).
  template <class T>
  static Tensor of(Dims dims, std::span<const T> values) {
    auto tensor = from_bytes(DTypeOf<T>::value, std::move(dims), std::as_bytes(values));
    MORU_CHECK(tensor.has_value());
    return std::move(*tensor);
  }
  template <class T>
  static Tensor of(Dims dims, std::initializer_list<T> values) {
    return of<T>(std::move(dims), std::span<const T>(values.begin(), values.size()));
  }
  template <class T>
  static Tensor scalar(T value) {
    return of<T>({}, {value});
  }
  /// A tensor of strings, as many as the shape needs: kCorrupt otherwise.
  static Result<Tensor> of_strings(Dims dims, std::span<const std::string> values);

  DType dtype() const { return dtype_; }
  const Dims& dims() const { return dims_; }
  std::size_t rank() const { return dims_.size(); }
  std::int64_t count() const { return count_; }
  /// The bytes where they lie; those of borrowed memory may not be aligned for the elements.
  std::span<const std::byte> bytes() const { return {data_ ? data_.get() : borrowed_->bytes.data(), size_}; }
  /// Writing into memory of its own is seen by copies that share it. Borrowed memory is copied first, so that only this tensor
  /// sees what is written.
  std::span<std::byte> mutable_bytes() { return {own_data(), size_}; }
  std::size_t size_bytes() const { return size_; }

  /// The elements as T, which must be the tensor's type (checked always: a wrong type is a bug here).
  template <class T>
  std::span<const T> data() const {
    MORU_CHECK(DTypeOf<T>::value == dtype_);
    return {reinterpret_cast<const T*>(aligned_data(alignof(T))), static_cast<std::size_t>(count_)};
  }
  template <class T>
  std::span<T> mutable_data() {
    MORU_CHECK(DTypeOf<T>::value == dtype_);
    return {reinterpret_cast<T*>(own_data()), static_cast<std::size_t>(count_)};
  }

  /// The elements of a tensor of strings (checked); borrowed.
  std::vector<std::string_view> strings() const;

  /// Aligned for the elements.
  ConstTensorView view() const { return {dtype_, dims_, {aligned_data(alignof(std::max_align_t)), size_}}; }
  TensorView mutable_view() { return {dtype_, dims_, mutable_bytes()}; }

  Tensor clone() const;
  /// The same data under another shape of as many elements (checked).
  Tensor reshaped(Dims dims) const;

 private:
  struct Borrowed {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
    std::once_flag once;
    std::shared_ptr<std::byte> aligned;  ///< made when first asked for
  };
  const std::byte* aligned_data(std::size_t alignment) const;
  std::byte* own_data();

  DType dtype_ = DType::kFloat32;
  Dims dims_;
  std::int64_t count_ = 0;
  std::size_t size_ = 0;
  std::shared_ptr<std::byte> data_;     ///< memory of its own, or null
  std::shared_ptr<Borrowed> borrowed_;  ///< set when data_ is not
};

/// Same type, shape and bytes.
bool same_bits(const Tensor& a, const Tensor& b);

/// int4 as int8 and uint4 as uint8, of the same shape and values (the type is checked).
Tensor unpack_4bit(const Tensor& tensor);
/// The way back, from int8 to int4 and from uint8 to uint4 (the type is checked). kInvalidArgument for a value that does not fit.
Result<Tensor> pack_4bit(const Tensor& tensor);

}  // namespace moru::model
