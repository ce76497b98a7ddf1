// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <set>
#include <type_traits>
#include <vector>

#include "core/text.h"

namespace moru::runtime {

using model::DType;
using model::Tensor;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class T>
inline constexpr bool kIsComplex = std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

/// An element as a number that errors are computed of.
template <class T>
auto as_number(T value) {
  if constexpr (kIsComplex<T>) {
    return std::complex<double>(value);
  } else {
    return static_cast<double>(value);
  }
}

bool is_nan(double value) { return std::isnan(value); }
bool is_nan(std::complex<double> value) { return std::isnan(value.real()) || std::isnan(value.imag()); }

template <class T>
Difference compare_values(std::span<const T> expected, std::span<const T> found) {
  Difference difference{.count = std::ssize(expected)};
  double error_squares = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto a = as_number(expected[i]);
    const auto b = as_number(found[i]);
    double error = std::abs(a - b);
    if (a == b || (is_nan(a) && is_nan(b))) error = 0.0;  // also two infinities
    if (std::isnan(error)) error = kInfinity;
    difference.max_error = std::max(difference.max_error, error);
    error_squares += error * error;
    if (const double size = std::abs(a); std::isfinite(size)) squares += size * size;
  }
  difference.squares = squares;
  if (expected.empty()) return difference;
  difference.rms_error = std::sqrt(error_squares / static_cast<double>(expected.size()));
  if (error_squares > 0.0) difference.nmse = squares > 0.0 ? error_squares / squares : kInfinity;
  return difference;
}

template <class T>
T random_value(Rng& rng) {
  if constexpr (model::kIsFloat<T> || kIsComplex<T>) {
    using Real = std::conditional_t<std::is_same_v<T, double> || std::is_same_v<T, std::complex<double>>, double, float>;
    return static_cast<T>(static_cast<Real>(rng.normal()));
  } else if constexpr (sizeof(T) <= 2 && !std::is_same_v<T, bool>) {
    // Each pattern of bits as often as the others.
    return static_cast<T>(rng.below(std::uint64_t{1} << (8 * sizeof(T))));
  } else {
    return static_cast<T>(rng.below(2));
  }
}

}  // namespace

Result<Difference> compare(const Tensor& expected, const Tensor& found) {
  if (expected.dtype() != found.dtype() || expected.dims() != found.dims()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("compare: found {} {}, expected {} {}", to_string(found.dtype()), model::to_string(found.dims()),
                            to_string(expected.dtype()), model::to_string(expected.dims())));
  }
  if (bits_of(expected.dtype()) == 4) return compare(model::unpack_4bit(expected), model::unpack_4bit(found));
  Difference difference;
  if (!model::visit_element_type(expected.dtype(),
                                 [&]<class T>() { difference = compare_values<T>(expected.data<T>(), found.data<T>()); })) {
    return fail(ErrorCode::kUnsupported, fmt::format("compare: found {}, expected numbers", to_string(expected.dtype())));
  }
  return difference;
}

Result<Difference> compare_all(std::span<const Tensor> expected, std::span<const Tensor> found) {
  if (expected.size() != found.size()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("compare: found {} tensors, expected {}", found.size(), expected.size()));
  }
  Difference worst;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    MORU_ASSIGN_OR_RETURN_IN(fmt::format("tensor {}", i), const auto one, compare(expected[i], found[i]));
    worst.count += one.count;
    worst.max_error = std::max(worst.max_error, one.max_error);
    worst.rms_error = std::max(worst.rms_error, one.rms_error);
    worst.nmse = std::max(worst.nmse, one.nmse);
  }
  return worst;
}

Result<std::vector<Tensor>> random_inputs(std::span<const Port> ports, const model::DimBinding& binding, Rng& rng) {
  std::set<std::string> used;
  std::vector<Tensor> inputs;
  for (const auto& port : ports) {
    model::Dims dims;
    for (const auto& dim : port.shape) {
      const auto named = dim.known() ? binding.named.end() : binding.named.find(dim.symbol);
      if (named != binding.named.end()) used.insert(dim.symbol);
      dims.push_back(dim.known() ? dim.value : named != binding.named.end() ? named->second : binding.others);
    }
    MORU_ASSIGN_OR_RETURN_IN(port.name, auto tensor, Tensor::create(port.dtype, std::move(dims)));
    const bool numbers = model::visit_element_type(port.dtype, [&]<class T>() {
      for (auto& value : tensor.mutable_data<T>()) value = random_value<T>(rng);
    });
    if (!numbers) {
      return fail(ErrorCode::kUnsupported, fmt::format("{}: found {}, expected a type with elements of whole bytes that random numbers fit",
                                                       port.name, to_string(port.dtype)));
    }
    inputs.push_back(std::move(tensor));
  }
  for (const auto& [name, value] : binding.named) {
    if (used.contains(name)) continue;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("dimension {}: found no input that has it, expected one that has", in_quotes(name)));
  }
  return inputs;
}

Result<std::vector<Tensor>> random_inputs(std::span<const Port> ports, std::int64_t batch, Rng& rng) {
  return random_inputs(ports, model::DimBinding{.named = {}, .others = batch}, rng);
}

}  // namespace moru::runtime
