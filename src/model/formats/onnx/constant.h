// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model::onnx {

/// The tensor that a Constant node makes of its one attribute.
Result<Tensor> constant_tensor(std::string_view name, const Attribute& attribute);

}  // namespace moru::model::onnx
