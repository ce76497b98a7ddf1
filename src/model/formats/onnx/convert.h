// SPDX-License-Identifier: Apache-2.0
// Types and attributes of an ONNX file, to and from ours. Only this folder knows protobuf's types.
#pragma once

#include "core/result.h"
#include "model/formats/onnx/tensors.h"
#include "model/graph/graph.h"

namespace moru::model::onnx {

/// kUnsupported for what is no tensor: sequences, maps, optionals.
Result<ValueType> type_from_proto(const pb::TypeProto& proto);
void type_to_proto(const ValueType& type, pb::TypeProto* proto);

/// All but graphs, which the reader makes.
Result<Attribute> attribute_from_proto(const pb::AttributeProto& proto, const TensorSource& source);
/// Of a graph only the type is set; the writer makes the rest.
void attribute_to_proto(const Attribute& attribute, pb::AttributeProto* proto);

}  // namespace moru::model::onnx
