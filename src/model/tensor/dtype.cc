// SPDX-License-Identifier: Apache-2.0
#include "model/tensor/dtype.h"

#include <fmt/format.h>

#include <array>

namespace moru::model {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::size_t bits;
};

// In the order of the enumerators.
constexpr std::array<Row, static_cast<std::size_t>(kLastDType) + 1> kRows = {{
    {DType::kFloat32, "float32", 32},
    {DType::kFloat64, "float64", 64},
    {DType::kInt8, "int8", 8},
    {DType::kUInt8, "uint8", 8},
    {DType::kInt16, "int16", 16},
    {DType::kUInt16, "uint16", 16},
    {DType::kInt32, "int32", 32},
    {DType::kUInt32, "uint32", 32},
    {DType::kInt64, "int64", 64},
    {DType::kUInt64, "uint64", 64},
    {DType::kBool, "bool", 8},
    {DType::kFloat16, "float16", 16},
    {DType::kBFloat16, "bfloat16", 16},
    {DType::kFloat8E4M3FN, "float8e4m3fn", 8},
    {DType::kFloat8E4M3FNUZ, "float8e4m3fnuz", 8},
    {DType::kFloat8E5M2, "float8e5m2", 8},
    {DType::kFloat8E5M2FNUZ, "float8e5m2fnuz", 8},
    {DType::kComplex64, "complex64", 64},
    {DType::kComplex128, "complex128", 128},
    {DType::kInt4, "int4", 4},
    {DType::kUInt4, "uint4", 4},
    {DType::kString, "string", 64},
}};

constexpr bool rows_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].dtype) != i) return false;
  }
  return true;
}
static_assert(rows_in_order());

}  // namespace

std::string_view to_string(DType dtype) { return kRows[static_cast<std::size_t>(dtype)].name; }

std::optional<DType> dtype_from_string(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::size_t bits_of(DType dtype) { return kRows[static_cast<std::size_t>(dtype)].bits; }

Result<std::size_t> element_size(DType dtype) {
  if (dtype == DType::kString || bits_of(dtype) % 8 != 0) {
    return fail(ErrorCode::kUnsupported, fmt::format("found {}, expected a type whose elements are whole bytes", to_string(dtype)));
  }
  return bits_of(dtype) / 8;
}

std::size_t bytes_for(DType dtype, std::int64_t count) {
  const auto elements = static_cast<std::size_t>(count);
  if (dtype == DType::kString) return (elements + 1) * sizeof(std::uint64_t);
  return bits_of(dtype) < 8 ? (elements + 1) / 2 : elements * (bits_of(dtype) / 8);
}

}  // namespace moru::model
