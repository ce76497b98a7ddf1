// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/declare.h"

#include <fmt/format.h>

namespace moru::model::onnx {
namespace {

/// Puts what `known` knows into `shape`; false where they cannot both be right.
bool join(const SymbolicShape& known, SymbolicShape& shape) {
  if (known.size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (known[i].known() && shape[i].known() && known[i] != shape[i]) return false;
    if (!shape[i].known() && (known[i].known() || shape[i].symbol.empty())) shape[i] = known[i];
  }
  return true;
}

std::unexpected<Error> disagree(std::string_view what, std::string_view found, std::string_view expected) {
  return fail(ErrorCode::kCorrupt, fmt::format("found {} {}, expected {} as elsewhere in the file", what, found, expected));
}

}  // namespace

Result<ValueType> read_type(const pb::TypeProto& proto, bool others) {
  if (others && proto.value_case() != pb::TypeProto::kTensorType) return ValueType{};
  return type_from_proto(proto);
}

Status declare(Graph& graph, ValueId id, const pb::TypeProto& proto, bool others) {
  if (id == kNoValue) return {};
  MORU_ASSIGN_OR_RETURN(ValueType type, read_type(proto, others));
  const ValueType& known = graph.value(id).type;
  if (!type.dtype) type.dtype = known.dtype;
  if (known.dtype && known.dtype != type.dtype) return disagree("type", to_string(*type.dtype), to_string(*known.dtype));
  if (!type.shape) type.shape = known.shape;
  if (known.shape && !join(*known.shape, *type.shape)) return disagree("shape", to_string(*type.shape), to_string(*known.shape));
  graph.set_type(id, std::move(type));
  return {};
}

}  // namespace moru::model::onnx
