// SPDX-License-Identifier: Apache-2.0
#include "model/graph/token_stream.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

namespace moru::model::text {
namespace {

template <class T>
bool read_number(std::string_view digits, T& value) {
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return failure == std::errc{} && end == digits.data() + digits.size();
}

}  // namespace

Status TokenStream::advance() {
  MORU_ASSIGN_OR_RETURN(token_, lexer_.next());
  return {};
}

std::unexpected<Error> TokenStream::expected(std::string_view what) const {
  std::string found = at_end() ? "the end of the text" : fmt::format("{:.60}", token_.spelling);
  if (token_.kind == TokenKind::kPunctuation) found = fmt::format("'{}'", found);
  return fail(error_at(token_, fmt::format("found {}, expected {}", found, what)));
}

Status TokenStream::take(std::string_view punctuation) {
  if (!at(punctuation)) return expected(fmt::format("'{}'", punctuation));
  return advance();
}

Status TokenStream::take_word(std::string_view word) {
  if (!at_word(word)) return expected(fmt::format("'{}'", word));
  return advance();
}

Result<bool> TokenStream::accept(std::string_view punctuation) {
  if (!at(punctuation)) return false;
  MORU_RETURN_IF_ERROR(advance());
  return true;
}

Result<std::string> TokenStream::take_string() {
  if (token_.kind != TokenKind::kString) return expected("a string in quotes");
  std::string value = std::move(token_.value);
  MORU_RETURN_IF_ERROR(advance());
  return value;
}

Result<std::string> TokenStream::take_name(std::string_view what) {
  if (token_.kind == TokenKind::kString) return take_string();
  if (token_.kind != TokenKind::kWord || is_keyword(token_.spelling)) return expected(what);
  std::string name(token_.spelling);
  MORU_RETURN_IF_ERROR(advance());
  return name;
}

Result<std::int64_t> TokenStream::take_size(std::string_view what) {
  std::int64_t value = 0;
  if (token_.kind != TokenKind::kNumber || !read_number(token_.spelling, value) || value < 0) return expected(what);
  MORU_RETURN_IF_ERROR(advance());
  return value;
}

/// nan, or nan(0x7fc00001): the bits of one that is not the usual.
template <class T>
Result<T> TokenStream::take_nan() {
  MORU_RETURN_IF_ERROR(advance());
  MORU_ASSIGN_OR_RETURN(const bool has_bits, accept("("));
  if (!has_bits) return std::numeric_limits<T>::quiet_NaN();
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  Bits bits{};
  const std::string_view digits = token_.spelling.starts_with("0x") ? token_.spelling.substr(2) : std::string_view();
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
  const T value = std::bit_cast<T>(bits);
  if (failure != std::errc{} || end != digits.data() + digits.size() || !std::isnan(value)) return expected("the bits of a NaN as 0x...");
  MORU_RETURN_IF_ERROR(advance());
  MORU_RETURN_IF_ERROR(take(")"));
  return value;
}

template <class T>
Result<T> TokenStream::take_element() {
  T value{};
  if constexpr (std::is_same_v<T, bool>) {
    if (!at_word("true") && !at_word("false")) return expected("true or false");
    value = at_word("true");
  } else if constexpr (std::is_floating_point_v<T>) {
    if (at_word("nan")) return take_nan<T>();
    if ((token_.kind != TokenKind::kNumber && !at_word("inf")) || !read_number(token_.spelling, value))
      return expected("a number that fits the type");
  } else {
    if (token_.kind != TokenKind::kNumber || !read_number(token_.spelling, value)) return expected("a whole number that fits the type");
  }
  MORU_RETURN_IF_ERROR(advance());
  return value;
}

template Result<float> TokenStream::take_element<float>();
template Result<std::int64_t> TokenStream::take_element<std::int64_t>();

template <class T>
Result<Tensor> TokenStream::take_elements(Dims dims) {
  const Token start = token_;
  MORU_RETURN_IF_ERROR(take("{"));
  std::string bytes;
  while (!at("}")) {
    if (!bytes.empty()) MORU_RETURN_IF_ERROR(take(","));
    MORU_ASSIGN_OR_RETURN(const T value, take_element<T>());
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  MORU_RETURN_IF_ERROR(advance());
  const auto count = element_count(dims, DTypeOf<T>::value);
  if (!count) return fail(error_at(start, count.error().message));
  if (static_cast<std::size_t>(*count) != bytes.size() / sizeof(T)) {
    return fail(
        error_at(start, fmt::format("found {} elements, expected {} for shape {}", bytes.size() / sizeof(T), *count, to_string(dims))));
  }
  auto tensor = Tensor::from_bytes(DTypeOf<T>::value, std::move(dims), std::as_bytes(std::span(bytes)));
  if (!tensor) return fail(error_at(start, tensor.error().message));
  return tensor;
}

Result<DType> TokenStream::take_dtype() {
  const auto dtype = token_.kind == TokenKind::kWord ? dtype_from_string(token_.spelling) : std::nullopt;
  if (!dtype) return expected("an element type such as float32");
  MORU_RETURN_IF_ERROR(advance());
  return *dtype;
}

Result<Tensor> TokenStream::take_tensor() {
  MORU_ASSIGN_OR_RETURN(const DType dtype, take_dtype());
  MORU_RETURN_IF_ERROR(take("["));
  Dims dims;
  while (!at("]")) {
    if (!dims.empty()) MORU_RETURN_IF_ERROR(take(","));
    MORU_ASSIGN_OR_RETURN(const std::int64_t dim, take_size("an extent of 0 or more"));
    dims.push_back(dim);
  }
  MORU_RETURN_IF_ERROR(advance());
  switch (dtype) {
    case DType::kFloat32: return take_elements<float>(std::move(dims));
    case DType::kFloat64: return take_elements<double>(std::move(dims));
    case DType::kInt8: return take_elements<std::int8_t>(std::move(dims));
    case DType::kUInt8: return take_elements<std::uint8_t>(std::move(dims));
    case DType::kInt16: return take_elements<std::int16_t>(std::move(dims));
    case DType::kUInt16: return take_elements<std::uint16_t>(std::move(dims));
    case DType::kInt32: return take_elements<std::int32_t>(std::move(dims));
    case DType::kUInt32: return take_elements<std::uint32_t>(std::move(dims));
    case DType::kInt64: return take_elements<std::int64_t>(std::move(dims));
    case DType::kUInt64: return take_elements<std::uint64_t>(std::move(dims));
    case DType::kBool: return take_elements<bool>(std::move(dims));
  }
  return fail(ErrorCode::kInternal, "text: found an element type without a parser, expected one for each");
}

}  // namespace moru::model::text
