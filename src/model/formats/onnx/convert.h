// SPDX-License-Identifier: Apache-2.0
// The pieces of an ONNX file, to and from ours. Only this folder knows protobuf's types.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "model/graph/graph.h"
#include "model/tensor/tensor.h"
#include "onnx_pb/onnx.pb.h"

namespace moru::model::onnx {

namespace pb = moru::onnx_pb;

/// The largest message that protobuf takes.
inline constexpr std::uint64_t kMaxFileBytes = 0x7FFFFFFF;
/// The newest opset whose ops were compared with ours.
inline constexpr std::int64_t kMaxOpset = 22;
/// More dimensions than any op takes; keeps what is computed for each dimension small.
inline constexpr int kMaxRank = 16;

/// kUnsupported for types that we do not have (float16, string, ...).
Result<DType> dtype_from_proto(std::int32_t data_type);

/// Checks type, extents and the payload's size before it allocates.
Result<Tensor> tensor_from_proto(const pb::TensorProto& proto);
void tensor_to_proto(const Tensor& tensor, pb::TensorProto* proto);

Result<ValueType> type_from_proto(const pb::TypeProto& proto);
void type_to_proto(const ValueType& type, pb::TypeProto* proto);

Result<Attribute> attribute_from_proto(const pb::AttributeProto& proto);
void attribute_to_proto(const Attribute& attribute, pb::AttributeProto* proto);

}  // namespace moru::model::onnx
