// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

namespace moru::runtime {

using model::DType;
using model::Tensor;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Calls `body` with a value of the C++ type of `dtype`.
template <class Body>
auto with_type(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::kFloat32: return body(float{});
    case DType::kFloat64: return body(double{});
    case DType::kInt8: return body(std::int8_t{});
    case DType::kUInt8: return body(std::uint8_t{});
    case DType::kInt16: return body(std::int16_t{});
    case DType::kUInt16: return body(std::uint16_t{});
    case DType::kInt32: return body(std::int32_t{});
    case DType::kUInt32: return body(std::uint32_t{});
    case DType::kInt64: return body(std::int64_t{});
    case DType::kUInt64: return body(std::uint64_t{});
    case DType::kBool: break;
  }
  return body(bool{});
}

template <class T>
Difference compare_values(std::span<const T> expected, std::span<const T> found) {
  Difference difference{.count = std::ssize(expected)};
  double error_squares = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto a = static_cast<double>(expected[i]);
    const auto b = static_cast<double>(found[i]);
    double error = std::abs(a - b);
    if (a == b || (std::isnan(a) && std::isnan(b))) error = 0.0;  // also two infinities
    if (std::isnan(error)) error = kInfinity;
    difference.max_error = std::max(difference.max_error, error);
    error_squares += error * error;
    if (std::isfinite(a)) squares += a * a;
  }
  if (expected.empty()) return difference;
  difference.rms_error = std::sqrt(error_squares / static_cast<double>(expected.size()));
  if (error_squares > 0.0) difference.nmse = squares > 0.0 ? error_squares / squares : kInfinity;
  return difference;
}

template <class T>
T random_value(Rng& rng) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(rng.normal());
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
  return with_type(expected.dtype(), [&]<class T>(T) { return compare_values<T>(expected.data<T>(), found.data<T>()); });
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

Result<std::vector<Tensor>> random_inputs(std::span<const Port> ports, std::int64_t batch, Rng& rng) {
  std::vector<Tensor> inputs;
  for (const auto& port : ports) {
    model::Dims dims;
    for (const auto& dim : port.shape) dims.push_back(dim.known() ? dim.value : batch);
    MORU_ASSIGN_OR_RETURN_IN(port.name, auto tensor, Tensor::create(port.dtype, std::move(dims)));
    with_type(port.dtype, [&]<class T>(T) {
      for (auto& value : tensor.mutable_data<T>()) value = random_value<T>(rng);
    });
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

}  // namespace moru::runtime
