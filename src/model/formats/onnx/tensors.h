// SPDX-License-Identifier: Apache-2.0
// Tensors of ONNX, to and from ours.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/formats/onnx/budget.h"
#include "model/formats/onnx/external_data.h"
#include "model/formats/onnx/skeleton.h"
#include "model/tensor/tensor.h"
#include "onnx_pb/onnx.pb.h"

namespace moru::model::onnx {

namespace pb = moru::onnx_pb;

/// More dimensions than any op takes; keeps what is computed for each dimension small.
inline constexpr int kMaxRank = 16;

/// Where the numbers of a skeleton's tensors are.
struct TensorSource {
  std::vector<Payload> payloads;
  std::shared_ptr<const void> owner;        ///< keeps the payloads; null: they are copied
  ExternalFiles* external_files = nullptr;  ///< null: the model came without a folder
  ReadBudget* budget = nullptr;
};

/// kUnsupported for types that ONNX has had since opset 23.
Result<DType> dtype_from_proto(std::int32_t data_type);
pb::TensorProto::DataType dtype_to_proto(DType dtype);

inline bool is_external(const pb::TensorProto& proto) {
  return proto.data_location() == pb::TensorProto::EXTERNAL || proto.external_data_size() > 0;
}
/// What such a tensor's numbers are. No files: kUnsupported.
Result<ExternalPayload> external_payload(const pb::TensorProto& proto, ExternalFiles* files);
/// Checks type, extents and the payload's size before it allocates. `proto` is of a skeleton.
Result<Tensor> tensor_from_proto(const pb::TensorProto& proto, const TensorSource& source);
/// A tensor of indices and the values there, as the dense tensor that it stands for.
Result<Tensor> tensor_from_proto(const pb::SparseTensorProto& proto, const TensorSource& source);
void tensor_to_proto(const Tensor& tensor, pb::TensorProto* proto);

}  // namespace moru::model::onnx
