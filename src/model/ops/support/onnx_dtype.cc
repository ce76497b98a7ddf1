// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/onnx_dtype.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace moru::model::ops {
namespace {

// TensorProto.DataType of ONNX's schema: the number is the place, from 1.
constexpr std::array<std::string_view, 22> kNames = {
    "float32",      "uint8",          "int8",       "uint16",         "int16",  "int32",     "int64",      "string",
    "bool",         "float16",        "float64",    "uint32",         "uint64", "complex64", "complex128", "bfloat16",
    "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",  "int4"};

}  // namespace

Result<DType> dtype_attribute(const Node& node, std::string_view name, DType fallback) {
  if (!node.attributes.contains(name)) return fallback;
  MORU_ASSIGN_OR_RETURN(const std::int64_t number, int_attribute(node, name, 0));
  if (number < 1 || number > std::ssize(kNames)) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("attribute '{}': found {}, expected the number of an element type, 1 to {}", name, number, kNames.size()));
  }
  const std::string_view text = kNames[static_cast<std::size_t>(number - 1)];
  const auto dtype = dtype_from_string(text);
  if (!dtype) {
    return fail(ErrorCode::kUnsupported, fmt::format("attribute '{}': found {}, expected a type that tensors here have", name, text));
  }
  return *dtype;
}

}  // namespace moru::model::ops
