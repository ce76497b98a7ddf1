// SPDX-License-Identifier: Apache-2.0
// Attributes that name an element type do so by ONNX's number for it.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model::ops {

/// The element type that the int attribute `name` stands for; `fallback` when it is left out. Errors: kUnsupported for a number
/// that is no type, or one that tensors here do not have.
Result<DType> dtype_attribute(const Node& node, std::string_view name, DType fallback);

}  // namespace moru::model::ops
