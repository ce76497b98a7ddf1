// SPDX-License-Identifier: Apache-2.0
// Parts an ONNX file into its payloads (the numbers of its tensors), which stay where they lie, and a skeleton with all else,
// which protobuf parses. So a model is read at the cost of its structure, and may be larger than the 2 GiB that protobuf takes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/formats/onnx/budget.h"

namespace google::protobuf {
class MessageLite;
}

namespace moru::model::onnx {

/// The messages of onnx.proto that may hold tensors, at some depth.
enum class MessageKind : std::uint8_t { kModel, kGraph, kNode, kAttribute, kTensor, kSparseTensor, kFunction };

/// The fields of TensorProto that hold numbers, by their numbers in onnx.proto.
enum class DataField : std::uint8_t { kFloat = 4, kInt32 = 5, kInt64 = 7, kRaw = 9, kDouble = 10, kUInt64 = 11 };
std::string_view name_of(DataField field);

/// A field's bytes in the file: raw_data as it is, the others packed (little-endian floats, or varints).
struct Payload {
  DataField field = DataField::kRaw;
  std::string_view bytes;
};

struct Skeleton {
  /// The message, in which the raw_data of a tensor whose payload was taken out is kLocated and the payload's index (8
  /// bytes, little-endian), and any other raw_data has kInline in front.
  std::string bytes;
  std::vector<Payload> payloads;
  static constexpr char kLocated = 'P';
  static constexpr char kInline = 'I';
};

/// `bytes` is borrowed by the payloads. The budget is charged with the skeleton and what protobuf and the graph make of it.
/// Errors: kCorrupt (not protobuf's wire format), kResourceExhausted (the budget, graphs nested too deep). Cost: one walk over
/// all that is no payload.
Result<Skeleton> make_skeleton(std::string_view bytes, MessageKind kind, ReadBudget& budget);

/// Has protobuf read a message that make_skeleton() has taken: the skeleton, or the bytes that it was made of. Errors: kCorrupt,
/// kUnsupported (more than protobuf takes).
Status parse(std::string_view bytes, google::protobuf::MessageLite& message);

}  // namespace moru::model::onnx
