// SPDX-License-Identifier: Apache-2.0
#include "model/formats/tflite/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>

#include "core/text.h"

namespace moru::model::tflite {
namespace {

static_assert(std::endian::native == std::endian::little, "the file's data and our tensors are little-endian");

constexpr std::pair<DType, fb::TensorType> kTypes[] = {
    {DType::kFloat32, fb::TensorType::FLOAT32},
    {DType::kFloat64, fb::TensorType::FLOAT64},
    {DType::kInt8, fb::TensorType::INT8},
    {DType::kUInt8, fb::TensorType::UINT8},
    {DType::kInt16, fb::TensorType::INT16},
    {DType::kUInt16, fb::TensorType::UINT16},
    {DType::kInt32, fb::TensorType::INT32},
    {DType::kUInt32, fb::TensorType::UINT32},
    {DType::kInt64, fb::TensorType::INT64},
    {DType::kUInt64, fb::TensorType::UINT64},
    {DType::kBool, fb::TensorType::BOOL},
    {DType::kFloat16, fb::TensorType::FLOAT16},
    {DType::kBFloat16, fb::TensorType::BFLOAT16},
    {DType::kComplex64, fb::TensorType::COMPLEX64},
    {DType::kComplex128, fb::TensorType::COMPLEX128},
    {DType::kInt4, fb::TensorType::INT4},
    {DType::kUInt4, fb::TensorType::UINT4},
};

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

/// The numbers that the type can hold, where it is one that may be quantised.
std::optional<std::pair<std::int64_t, std::int64_t>> range_of(DType dtype) {
  switch (dtype) {
    case DType::kInt4: return {{-8, 7}};
    case DType::kUInt4: return {{0, 15}};
    case DType::kInt8: return {{-128, 127}};
    case DType::kUInt8: return {{0, 255}};
    case DType::kInt16: return {{-32768, 32767}};
    case DType::kUInt16: return {{0, 65535}};
    case DType::kInt32:
    case DType::kInt64: return {{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()}};
    default: return std::nullopt;
  }
}

Status check_quantization(const Quantization& quantization, DType dtype) {
  for (const float scale : quantization.scales) {
    if (!std::isfinite(scale) || scale < 0) return corrupt(fmt::format("found scale {}, expected a positive number", scale));
  }
  const auto range = *range_of(dtype);
  for (const std::int64_t zero_point : quantization.zero_points) {
    if (zero_point < range.first || zero_point > range.second)
      return corrupt(fmt::format("found zero point {}, expected one of type {}", zero_point, to_string(dtype)));
  }
  return {};
}

}  // namespace

Status Allowance::spend(std::uint64_t bytes) {
  if (bytes > left_) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("found content of more than {} bytes, expected no more than a file of this size can have", limit_));
  }
  left_ -= bytes;
  return {};
}

Result<DType> dtype_from_file(fb::TensorType type) {
  const auto* it = std::ranges::find(kTypes, type, &std::pair<DType, fb::TensorType>::second);
  if (it != std::end(kTypes)) return it->first;
  const std::string_view name = fb::EnumNameTensorType(type);
  if (name.empty()) return corrupt(fmt::format("found element type {}, expected one of TFLite's", static_cast<int>(type)));
  return fail(ErrorCode::kUnsupported, fmt::format("found element type {}, expected numbers or BOOL", name));
}

Result<fb::TensorType> dtype_to_file(DType dtype) {
  const auto* it = std::ranges::find(kTypes, dtype, &std::pair<DType, fb::TensorType>::first);
  if (it != std::end(kTypes)) return it->second;
  return fail(ErrorCode::kUnsupported, fmt::format("found element type {}, expected one that TFLite has", to_string(dtype)));
}

Result<Dims> dims_from_file(const fb::Tensor& tensor) {
  Dims dims;
  if (tensor.shape() == nullptr) return dims;
  if (tensor.shape()->size() > kMaxRank)
    return fail(ErrorCode::kUnsupported, fmt::format("found rank {}, expected at most {}", tensor.shape()->size(), kMaxRank));
  for (const std::int32_t extent : *tensor.shape()) {
    if (extent < 0) return corrupt(fmt::format("found extent {}, expected 0 or more", extent));
    dims.push_back(extent);
  }
  return dims;
}

Result<SymbolicShape> shape_from_file(const fb::Tensor& tensor) {
  MORU_ASSIGN_OR_RETURN(const Dims dims, dims_from_file(tensor));
  SymbolicShape shape;
  for (const std::int64_t extent : dims) shape.push_back({extent, {}});
  const auto* signature = tensor.shape_signature();
  if (signature == nullptr || signature->size() == 0) return shape;
  if (signature->size() != shape.size())
    return corrupt(fmt::format("found a shape signature of rank {}, expected {} as the shape", signature->size(), shape.size()));
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int32_t extent = signature->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (extent != -1 && extent != shape[i].value)
      return corrupt(fmt::format("found extent {} of axis {} in the shape signature, expected {} or -1", extent, i, shape[i].value));
    if (extent == -1) shape[i] = Dim{};
  }
  return shape;
}

namespace {

/// Copied as bytes: flatbuffers' verifier asks that a vector's length be aligned, but not that its elements of 8 bytes be.
std::vector<std::int64_t> zero_points_from_file(const flatbuffers::Vector<std::int64_t>* list) {
  std::vector<std::int64_t> out(list == nullptr ? 0 : list->size());
  if (!out.empty()) std::memcpy(out.data(), list->Data(), out.size() * sizeof(std::int64_t));
  return out;
}

}  // namespace

Result<std::optional<Quantization>> quantization_from_file(const fb::QuantizationParameters* parameters, DType dtype,
                                                           std::span<const std::int32_t> shape) {
  if (parameters == nullptr || !range_of(dtype)) return std::nullopt;
  if (parameters->details_type() != fb::QuantizationDetails::NONE) {
    const std::string_view name = fb::EnumNameQuantizationDetails(parameters->details_type());
    return fail(ErrorCode::kUnsupported, fmt::format("found quantization of the kind {}, expected scale and zero point",
                                                     name.empty() ? "that the format does not have" : name));
  }
  const auto* scales = parameters->scale();
  if (scales == nullptr || scales->size() == 0) return std::nullopt;
  Quantization out;
  out.scales.assign(scales->begin(), scales->end());
  out.zero_points = zero_points_from_file(parameters->zero_point());
  if (out.zero_points.empty()) out.zero_points.assign(1, 0);
  if (out.zero_points.size() == 1) out.zero_points.resize(out.scales.size(), out.zero_points[0]);
  if (out.zero_points.size() != out.scales.size())
    return corrupt(fmt::format("found {} scales and {} zero points, expected as many", out.scales.size(), out.zero_points.size()));
  if (out.scales.size() > 1) {
    out.axis = parameters->quantized_dimension();
    if (out.axis < 0 || static_cast<std::size_t>(out.axis) >= shape.size())
      return corrupt(fmt::format("found quantized dimension {}, expected 0 to {}", out.axis, std::ssize(shape) - 1));
    const std::int32_t extent = shape[static_cast<std::size_t>(out.axis)];
    if (std::cmp_not_equal(extent, out.scales.size()))
      return corrupt(fmt::format("found {} scales, expected {} as the extent of axis {}", out.scales.size(), extent, out.axis));
  }
  MORU_RETURN_IF_ERROR(check_quantization(out, dtype));
  return out;
}

}  // namespace moru::model::tflite
