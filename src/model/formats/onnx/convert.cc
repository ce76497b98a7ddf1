// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/convert.h"

#include <fmt/format.h>

namespace moru::model::onnx {
namespace {

Result<Dim> dim_from_proto(const pb::TensorShapeProto::Dimension& proto) {
  if (proto.has_dim_param()) return Dim{-1, proto.dim_param()};
  if (!proto.has_dim_value()) return Dim{};
  // Nothing larger can be held, and products of a few such extents are then checked where they are made.
  constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40U;
  if (proto.dim_value() < 0 || proto.dim_value() > kMaxExtent) {
    return fail(ErrorCode::kCorrupt, fmt::format("found extent {}, expected 0 to {}", proto.dim_value(), kMaxExtent));
  }
  return Dim{proto.dim_value(), ""};
}

template <class... T>
struct Overloaded : T... {
  using T::operator()...;
};

}  // namespace

Result<ValueType> type_from_proto(const pb::TypeProto& proto) {
  ValueType type;
  if (proto.value_case() == pb::TypeProto::VALUE_NOT_SET) return type;
  if (!proto.has_tensor_type()) return fail(ErrorCode::kUnsupported, "found a sequence, map, optional or sparse tensor, expected a tensor");
  const auto& tensor = proto.tensor_type();
  if (tensor.elem_type() != pb::TensorProto::UNDEFINED) {
    MORU_ASSIGN_OR_RETURN(type.dtype, dtype_from_proto(tensor.elem_type()));
  }
  if (!tensor.has_shape()) return type;
  if (tensor.shape().dim_size() > kMaxRank) {
    return fail(ErrorCode::kUnsupported, fmt::format("found rank {}, expected at most {}", tensor.shape().dim_size(), kMaxRank));
  }
  type.shape.emplace();
  for (const auto& dim : tensor.shape().dim()) {
    MORU_ASSIGN_OR_RETURN(Dim read, dim_from_proto(dim));
    type.shape->push_back(std::move(read));
  }
  return type;
}

void type_to_proto(const ValueType& type, pb::TypeProto* proto) {
  auto* tensor = proto->mutable_tensor_type();
  if (type.dtype) tensor->set_elem_type(dtype_to_proto(*type.dtype));
  if (!type.shape) return;
  auto* shape = tensor->mutable_shape();
  for (const Dim& dim : *type.shape) {
    auto* out = shape->add_dim();
    if (dim.known()) {
      out->set_dim_value(dim.value);
    } else if (!dim.symbol.empty()) {
      out->set_dim_param(dim.symbol);
    }
  }
}

Result<Attribute> attribute_from_proto(const pb::AttributeProto& proto, const TensorSource& source) {
  if (!proto.ref_attr_name().empty())
    return fail(ErrorCode::kCorrupt, "found a reference to an attribute outside of a function, expected a value");
  switch (proto.type()) {
    case pb::AttributeProto::INT: return proto.i();
    case pb::AttributeProto::FLOAT: return proto.f();
    case pb::AttributeProto::STRING: return proto.s();
    case pb::AttributeProto::INTS: return std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end());
    case pb::AttributeProto::FLOATS: return std::vector<float>(proto.floats().begin(), proto.floats().end());
    case pb::AttributeProto::STRINGS: return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
    case pb::AttributeProto::TENSOR: {
      MORU_ASSIGN_OR_RETURN(Tensor tensor, tensor_from_proto(proto.t(), source));
      return tensor;
    }
    case pb::AttributeProto::SPARSE_TENSOR: {
      MORU_ASSIGN_OR_RETURN(Tensor tensor, tensor_from_proto(proto.sparse_tensor(), source));
      return tensor;
    }
    case pb::AttributeProto::UNDEFINED: return fail(ErrorCode::kCorrupt, "found no type, expected one");
    case pb::AttributeProto::GRAPH:
    case pb::AttributeProto::TYPE_PROTO:
    case pb::AttributeProto::TENSORS:
    case pb::AttributeProto::GRAPHS:
    case pb::AttributeProto::SPARSE_TENSORS:
    case pb::AttributeProto::TYPE_PROTOS: break;
  }
  return fail(ErrorCode::kUnsupported, fmt::format("found type {}, expected INT, FLOAT, STRING, TENSOR, GRAPH or a list of the first three",
                                                   pb::AttributeProto::AttributeType_Name(proto.type())));
}

void attribute_to_proto(const Attribute& attribute, pb::AttributeProto* proto) {
  std::visit(Overloaded{
                 [&](std::int64_t value) {
                   proto->set_type(pb::AttributeProto::INT);
                   proto->set_i(value);
                 },
                 [&](float value) {
                   proto->set_type(pb::AttributeProto::FLOAT);
                   proto->set_f(value);
                 },
                 [&](const std::string& value) {
                   proto->set_type(pb::AttributeProto::STRING);
                   proto->set_s(value);
                 },
                 [&](const std::vector<std::int64_t>& values) {
                   proto->set_type(pb::AttributeProto::INTS);
                   proto->mutable_ints()->Add(values.begin(), values.end());
                 },
                 [&](const std::vector<float>& values) {
                   proto->set_type(pb::AttributeProto::FLOATS);
                   proto->mutable_floats()->Add(values.begin(), values.end());
                 },
                 [&](const std::vector<std::string>& values) {
                   proto->set_type(pb::AttributeProto::STRINGS);
                   for (const std::string& value : values) proto->add_strings(value);
                 },
                 [&](const Tensor& tensor) {
                   proto->set_type(pb::AttributeProto::TENSOR);
                   tensor_to_proto(tensor, proto->mutable_t());
                 },
                 [&](const Subgraph&) { proto->set_type(pb::AttributeProto::GRAPH); },
             },
             attribute);
}

}  // namespace moru::model::onnx
