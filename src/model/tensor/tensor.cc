// SPDX-License-Identifier: Apache-2.0
#include "model/tensor/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace moru::model {
namespace {

constexpr std::int64_t kMaxBytes = std::int64_t{1} << 40U;
constexpr std::size_t kAlignment = 64;  // a cache line, and the widest vector register

/// Zeroed memory; null when there is none. calloc gives big blocks as pages that cost nothing until they are written.
std::shared_ptr<std::byte> allocate(std::size_t size) {
  const std::shared_ptr<void> block(std::calloc(size + kAlignment, 1), std::free);
  if (!block) return nullptr;
  void* start = block.get();
  std::size_t space = size + kAlignment;
  std::align(kAlignment, std::max<std::size_t>(size, 1), start, space);
  return {block, static_cast<std::byte*>(start)};
}

}  // namespace

Result<std::int64_t> element_count(std::span<const std::int64_t> dims, DType dtype) {
  // An extent of 0 counts as 1 in the limit, so that products of any of the extents cannot overflow either.
  const std::int64_t limit = kMaxBytes / static_cast<std::int64_t>(size_of(dtype));
  std::int64_t bound = 1;
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("shape {}: found a negative extent {}, expected 0 or more", to_string(dims), dim));
    }
    empty = empty || dim == 0;
    if (dim > limit / bound) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("shape {} of {}: found more than 2^40 bytes, expected less", to_string(dims), to_string(dtype)));
    }
    bound *= std::max<std::int64_t>(dim, 1);
  }
  return empty ? 0 : bound;
}

std::string to_string(std::span<const std::int64_t> dims) { return fmt::format("[{}]", fmt::join(dims, ", ")); }

Tensor::Tensor() : dims_{0}, data_(allocate(0)) { MORU_CHECK(data_ != nullptr); }

Result<Tensor> Tensor::create(DType dtype, Dims dims) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(dims, dtype));
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.dims_ = std::move(dims);
  tensor.count_ = count;
  tensor.data_ = allocate(tensor.size_bytes());
  if (!tensor.data_) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("tensor {} of {}: found no memory for {} bytes, expected it; use a smaller batch or model",
                            to_string(tensor.dims_), to_string(dtype), tensor.size_bytes()));
  }
  return tensor;
}

Result<Tensor> Tensor::from_bytes(DType dtype, Dims dims, std::span<const std::byte> bytes) {
  // The size is compared first: a false shape must not cost its memory.
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(dims, dtype));
  const std::size_t needed = static_cast<std::size_t>(count) * size_of(dtype);
  if (bytes.size() != needed) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("tensor {} of {}: found {} bytes, expected {}", to_string(dims), to_string(dtype), bytes.size(), needed));
  }
  if (dtype == DType::kBool) {
    const auto bad = std::ranges::find_if(bytes, [](std::byte b) { return b > std::byte{1}; });
    if (bad != bytes.end()) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("tensor {} of bool: found byte {}, expected 0 or 1", to_string(dims), std::to_integer<int>(*bad)));
    }
  }
  MORU_ASSIGN_OR_RETURN(Tensor tensor, create(dtype, std::move(dims)));
  if (!bytes.empty()) std::memcpy(tensor.data_.get(), bytes.data(), bytes.size());
  return tensor;
}

Tensor Tensor::clone() const {
  auto copy = from_bytes(dtype_, dims_, bytes());
  MORU_CHECK(copy.has_value());
  return std::move(*copy);
}

Tensor Tensor::reshaped(Dims dims) const {
  const auto count = element_count(dims, dtype_);
  MORU_CHECK(count.has_value() && *count == count_);
  Tensor tensor = *this;
  tensor.dims_ = std::move(dims);
  return tensor;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.dims() == b.dims() && std::ranges::equal(a.bytes(), b.bytes());
}

}  // namespace moru::model
