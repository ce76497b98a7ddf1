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

std::uint64_t offset_at(std::span<const std::byte> bytes, std::size_t index) {
  std::uint64_t offset = 0;
  std::memcpy(&offset, bytes.data() + index * sizeof(offset), sizeof(offset));
  return offset;
}

std::unexpected<Error> bad_bytes(std::span<const std::int64_t> dims, DType dtype, std::string_view found, std::string_view expected) {
  return fail(ErrorCode::kCorrupt,
              fmt::format("tensor {} of {}: found {}, expected {}", to_string(dims), to_string(dtype), found, expected));
}

/// The bytes of strings: offsets that grow, from 0 to the number of characters.
Status check_strings(std::span<const std::int64_t> dims, std::size_t count, std::span<const std::byte> bytes) {
  const std::size_t table = bytes_for(DType::kString, static_cast<std::int64_t>(count));
  if (bytes.size() < table) return bad_bytes(dims, DType::kString, fmt::format("{} bytes", bytes.size()), fmt::format("{} or more", table));
  for (std::size_t i = 0; i < count; ++i) {
    if (offset_at(bytes, i) > offset_at(bytes, i + 1)) return bad_bytes(dims, DType::kString, "offsets that fall", "offsets that grow");
  }
  if (offset_at(bytes, 0) != 0 || offset_at(bytes, count) != bytes.size() - table)
    return bad_bytes(dims, DType::kString, "offsets that do not fit the characters", "offsets from 0 to their number");
  return {};
}

/// Untrusted bytes: as many as the shape needs, and values that the type has.
Status check_bytes(std::span<const std::int64_t> dims, DType dtype, std::int64_t count, std::span<const std::byte> bytes) {
  if (dtype == DType::kString) return check_strings(dims, static_cast<std::size_t>(count), bytes);
  const std::size_t needed = bytes_for(dtype, count);
  if (bytes.size() != needed) return bad_bytes(dims, dtype, fmt::format("{} bytes", bytes.size()), fmt::format("{}", needed));
  if (dtype != DType::kBool) return {};
  const auto bad = std::ranges::find_if(bytes, [](std::byte b) { return b > std::byte{1}; });
  if (bad != bytes.end()) return bad_bytes(dims, dtype, fmt::format("byte {}", std::to_integer<int>(*bad)), "0 or 1");
  return {};
}

std::unexpected<Error> no_memory(const Tensor& tensor) {
  return fail(ErrorCode::kResourceExhausted,
              fmt::format("tensor {} of {}: found no memory for {} bytes, expected it; use a smaller batch or model",
                          to_string(tensor.dims()), to_string(tensor.dtype()), tensor.size_bytes()));
}

}  // namespace

Result<std::int64_t> element_count(std::span<const std::int64_t> dims, DType dtype) {
  // An extent of 0 counts as 1 in the limit, so that products of any of the extents cannot overflow either.
  const std::int64_t limit = kMaxBytes * 8 / static_cast<std::int64_t>(bits_of(dtype));
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
  tensor.size_ = bytes_for(dtype, count);
  tensor.data_ = allocate(tensor.size_);
  if (!tensor.data_) return no_memory(tensor);
  return tensor;
}

Result<Tensor> Tensor::from_bytes(DType dtype, Dims dims, std::span<const std::byte> bytes) {
  // The size is compared first: a false shape must not cost its memory.
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(dims, dtype));
  MORU_RETURN_IF_ERROR(check_bytes(dims, dtype, count, bytes));
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.dims_ = std::move(dims);
  tensor.count_ = count;
  tensor.size_ = bytes.size();
  tensor.data_ = allocate(tensor.size_);
  if (!tensor.data_) return no_memory(tensor);
  if (!bytes.empty()) std::memcpy(tensor.data_.get(), bytes.data(), bytes.size());
  if (bits_of(dtype) == 4 && count % 2 != 0) tensor.data_.get()[tensor.size_ - 1] &= std::byte{0x0F};
  return tensor;
}

Result<Tensor> Tensor::borrow(DType dtype, Dims dims, std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(dims, dtype));
  MORU_RETURN_IF_ERROR(check_bytes(dims, dtype, count, bytes));
  const bool spare_bits = bits_of(dtype) == 4 && count % 2 != 0 && (bytes.back() & std::byte{0xF0}) != std::byte{0};
  if (spare_bits || bytes.empty()) return from_bytes(dtype, std::move(dims), bytes);
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.dims_ = std::move(dims);
  tensor.count_ = count;
  tensor.size_ = bytes.size();
  tensor.data_ = nullptr;
  tensor.borrowed_ = std::make_shared<Borrowed>();
  tensor.borrowed_->bytes = bytes;
  tensor.borrowed_->owner = std::move(owner);
  return tensor;
}

const std::byte* Tensor::aligned_data(std::size_t alignment) const {
  if (data_) return data_.get();
  if (reinterpret_cast<std::uintptr_t>(borrowed_->bytes.data()) % alignment == 0) return borrowed_->bytes.data();
  std::call_once(borrowed_->once, [&] {
    borrowed_->aligned = allocate(size_);
    MORU_CHECK(borrowed_->aligned != nullptr);
    std::memcpy(borrowed_->aligned.get(), borrowed_->bytes.data(), size_);
  });
  return borrowed_->aligned.get();
}

std::byte* Tensor::own_data() {
  if (!data_) {
    data_ = allocate(size_);
    MORU_CHECK(data_ != nullptr);
    std::memcpy(data_.get(), borrowed_->bytes.data(), size_);
    borrowed_.reset();
  }
  return data_.get();
}

Result<Tensor> Tensor::of_strings(Dims dims, std::span<const std::string> values) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(dims, DType::kString));
  if (std::ssize(values) != count)
    return bad_bytes(dims, DType::kString, fmt::format("{} strings", values.size()), fmt::format("{}", count));
  std::string bytes(bytes_for(DType::kString, count), '\0');
  const std::size_t table = bytes.size();
  for (std::size_t i = 0; i < values.size(); ++i) {
    bytes += values[i];
    const std::uint64_t end = bytes.size() - table;
    std::memcpy(bytes.data() + (i + 1) * sizeof(end), &end, sizeof(end));
  }
  return from_bytes(DType::kString, std::move(dims), std::as_bytes(std::span(bytes)));
}

std::vector<std::string_view> Tensor::strings() const {
  MORU_CHECK(dtype_ == DType::kString);
  std::vector<std::string_view> result;
  const auto* characters = reinterpret_cast<const char*>(bytes().data()) + bytes_for(DType::kString, count_);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count_); ++i) {
    const std::uint64_t start = offset_at(bytes(), i);
    result.emplace_back(characters + start, offset_at(bytes(), i + 1) - start);
  }
  return result;
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

Tensor unpack_4bit(const Tensor& tensor) {
  const bool is_signed = tensor.dtype() == DType::kInt4;
  MORU_CHECK(is_signed || tensor.dtype() == DType::kUInt4);
  auto created = Tensor::create(is_signed ? DType::kInt8 : DType::kUInt8, tensor.dims());
  MORU_CHECK(created.has_value());
  const auto from = tensor.bytes();
  const auto to = created->mutable_bytes();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const auto bits = (std::to_integer<unsigned>(from[i / 2]) >> (i % 2 * 4)) & 0xFU;
    to[i] = static_cast<std::byte>(is_signed && bits > 7 ? bits | 0xF0U : bits);
  }
  return std::move(*created);
}

Result<Tensor> pack_4bit(const Tensor& tensor) {
  const bool is_signed = tensor.dtype() == DType::kInt8;
  MORU_CHECK(is_signed || tensor.dtype() == DType::kUInt8);
  const DType dtype = is_signed ? DType::kInt4 : DType::kUInt4;
  MORU_ASSIGN_OR_RETURN(Tensor packed, Tensor::create(dtype, tensor.dims()));
  const auto from = tensor.bytes();
  const auto to = packed.mutable_bytes();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const int value = is_signed ? int{static_cast<std::int8_t>(from[i])} : std::to_integer<int>(from[i]);
    if (value < (is_signed ? -8 : 0) || value > (is_signed ? 7 : 15))
      return fail(ErrorCode::kInvalidArgument, fmt::format("element {}: found {}, expected a value of {}", i, value, to_string(dtype)));
    to[i / 2] |= static_cast<std::byte>((static_cast<unsigned>(value) & 0xFU) << (i % 2 * 4));
  }
  return packed;
}

}  // namespace moru::model
