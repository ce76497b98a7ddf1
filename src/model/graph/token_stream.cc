// SPDX-License-Identifier: Apache-2.0
#include "model/graph/token_stream.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <complex>
#include <limits>
#include <type_traits>

namespace moru::model::text {
namespace {

template <class T>
bool read_number(std::string_view digits, T& value) {
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return failure == std::errc{} && end == digits.data() + digits.size();
}

/// A number beyond the largest one of a small float is refused, not made infinite.
template <class T>
bool read_float(std::string_view digits, T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    return read_number(digits, value);
  } else {
    float wide = 0;
    if (!read_number(digits, wide)) return false;
    value = static_cast<T>(wide);
    return std::isinf(wide) ? std::isinf(static_cast<float>(value)) : std::isfinite(static_cast<float>(value));
  }
}

template <class T>
inline constexpr bool kIsComplex = std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

template <class T>
struct BitsOf {
  using Type = typename T::Bits;
};
template <>
struct BitsOf<float> {
  using Type = std::uint32_t;
};
template <>
struct BitsOf<double> {
  using Type = std::uint64_t;
};

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
  if (!has_bits) return static_cast<T>(std::numeric_limits<float>::quiet_NaN());
  using Bits = typename BitsOf<T>::Type;
  Bits bits{};
  const std::string_view digits = token_.spelling.starts_with("0x") ? token_.spelling.substr(2) : std::string_view();
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
  const T value = std::bit_cast<T>(bits);
  if (failure != std::errc{} || end != digits.data() + digits.size() || !std::isnan(static_cast<double>(value)))
    return expected("the bits of a NaN as 0x...");
  MORU_RETURN_IF_ERROR(advance());
  MORU_RETURN_IF_ERROR(take(")"));
  return value;
}

/// (1, -0.5)
template <class T>
Result<T> TokenStream::take_complex() {
  using Part = typename T::value_type;
  MORU_RETURN_IF_ERROR(take("("));
  MORU_ASSIGN_OR_RETURN(const Part real, take_element<Part>());
  MORU_RETURN_IF_ERROR(take(","));
  MORU_ASSIGN_OR_RETURN(const Part imaginary, take_element<Part>());
  MORU_RETURN_IF_ERROR(take(")"));
  return T(real, imaginary);
}

template <class T>
Result<T> TokenStream::take_element() {
  if constexpr (kIsComplex<T>) return take_complex<T>();
  T value{};
  if constexpr (std::is_same_v<T, bool>) {
    if (!at_word("true") && !at_word("false")) return expected("true or false");
    value = at_word("true");
  } else if constexpr (kIsFloat<T>) {
    if (at_word("nan")) return take_nan<T>();
    const bool is_number = token_.kind == TokenKind::kNumber || at_word("inf");
    if (!is_number || !read_float(token_.spelling, value)) return expected("a number that fits the type");
  } else if constexpr (!kIsComplex<T>) {
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

Result<std::vector<std::string>> TokenStream::take_strings() {
  MORU_RETURN_IF_ERROR(take("{"));
  std::vector<std::string> values;
  while (!at("}")) {
    if (!values.empty()) MORU_RETURN_IF_ERROR(take(","));
    MORU_ASSIGN_OR_RETURN(std::string value, take_string());
    values.push_back(std::move(value));
  }
  MORU_RETURN_IF_ERROR(advance());
  return values;
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
  const Token start = token_;
  Result<Tensor> tensor = fail(ErrorCode::kInternal, "text: found an element type without a parser, expected one for each");
  if (dtype == DType::kString) {
    MORU_ASSIGN_OR_RETURN(const auto values, take_strings());
    tensor = Tensor::of_strings(std::move(dims), values);
  } else if (bits_of(dtype) == 4) {
    auto whole = dtype == DType::kInt4 ? take_elements<std::int8_t>(std::move(dims)) : take_elements<std::uint8_t>(std::move(dims));
    if (!whole) return whole;
    tensor = pack_4bit(*whole);
  } else {
    visit_element_type(dtype, [&]<class T>() { tensor = take_elements<T>(std::move(dims)); });
    return tensor;
  }
  if (!tensor) return fail(error_at(start, tensor.error().message));
  return tensor;
}

}  // namespace moru::model::text
