// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/result.h"
#include "model/formats/onnx/convert.h"

namespace moru::model::onnx {

/// The type that a file gives to a value. `others`: what is no tensor is a value without type, which only ops look into; else it
/// is kUnsupported.
Result<ValueType> read_type(const pb::TypeProto& proto, bool others);

/// Joins what the file says about a value's type with what is known of it; kCorrupt where they cannot both be right. Nothing for
/// kNoValue.
Status declare(Graph& graph, ValueId id, const pb::TypeProto& proto, bool others);

}  // namespace moru::model::onnx
