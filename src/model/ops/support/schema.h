// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/result.h"
#include "model/ops/op.h"

namespace moru::model::ops {

/// The spec of a node's op, when the node fits it: counts of inputs and outputs, none of the required ones left out, names
/// and types of attributes. An op of another domain than ONNX's and ours that has no file here is opaque: it has a spec without
/// rules and without a reference. Errors: kUnsupported (unknown op), kInvalidArgument.
Result<const OpSpec*> check_schema(const Node& node);

/// infer() with its result checked: no extent or size above the limits. `inputs`, `constants` and `declared` as in InferContext;
/// `values`, if it is not null, gets what is known of the outputs' values.
Result<std::vector<ValueType>> infer_types(const OpSpec& spec, const Node& node, std::span<const ValueType> inputs,
                                           std::span<const Tensor* const> constants, std::span<const ValueType> declared = {},
                                           std::vector<std::optional<Tensor>>* values = nullptr);

/// kResourceExhausted for an extent above kMaxExtent, or a known shape of more bytes than a tensor may have.
Status check_type(const ValueType& type);

/// The type of a tensor that is there.
ValueType type_of(const Tensor& tensor);

}  // namespace moru::model::ops
