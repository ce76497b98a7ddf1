// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "core/text.h"

namespace moru::model::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX's raw data and our tensors are little-endian");

constexpr std::pair<DType, pb::TensorProto::DataType> kTypes[] = {
    {DType::kFloat32, pb::TensorProto::FLOAT}, {DType::kFloat64, pb::TensorProto::DOUBLE}, {DType::kInt8, pb::TensorProto::INT8},
    {DType::kUInt8, pb::TensorProto::UINT8},   {DType::kInt16, pb::TensorProto::INT16},    {DType::kUInt16, pb::TensorProto::UINT16},
    {DType::kInt32, pb::TensorProto::INT32},   {DType::kUInt32, pb::TensorProto::UINT32},  {DType::kInt64, pb::TensorProto::INT64},
    {DType::kUInt64, pb::TensorProto::UINT64}, {DType::kBool, pb::TensorProto::BOOL},
};

pb::TensorProto::DataType dtype_to_proto(DType dtype) {
  const auto* it = std::ranges::find(kTypes, dtype, &std::pair<DType, pb::TensorProto::DataType>::first);
  MORU_CHECK(it != std::end(kTypes));
  return it->second;
}

/// Which typed field of a TensorProto holds elements of a type, and how many are there.
int typed_count(const pb::TensorProto& proto, DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return proto.float_data_size();
    case DType::kFloat64: return proto.double_data_size();
    case DType::kInt64: return proto.int64_data_size();
    case DType::kUInt32:
    case DType::kUInt64: return proto.uint64_data_size();
    case DType::kInt8:
    case DType::kUInt8:
    case DType::kInt16:
    case DType::kUInt16:
    case DType::kInt32:
    case DType::kBool: break;
  }
  return proto.int32_data_size();
}

/// Copies elements of a wider field, each of which must fit.
template <class T, class Field>
Status copy_narrowed(const Field& field, Tensor& tensor) {
  const std::span<T> out = tensor.mutable_data<T>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto value = field.Get(static_cast<int>(i));
    bool fits = value == 0 || value == 1;
    if constexpr (!std::is_same_v<T, bool>) fits = std::in_range<T>(value);
    if (!fits) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("found value {} at element {}, expected one of type {}", value, i, to_string(tensor.dtype())));
    }
    out[i] = static_cast<T>(value);
  }
  return {};
}

Status copy_typed(const pb::TensorProto& proto, Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::kFloat32: std::ranges::copy(proto.float_data(), tensor.mutable_data<float>().begin()); return {};
    case DType::kFloat64: std::ranges::copy(proto.double_data(), tensor.mutable_data<double>().begin()); return {};
    case DType::kInt64: std::ranges::copy(proto.int64_data(), tensor.mutable_data<std::int64_t>().begin()); return {};
    case DType::kUInt64: std::ranges::copy(proto.uint64_data(), tensor.mutable_data<std::uint64_t>().begin()); return {};
    case DType::kInt32: std::ranges::copy(proto.int32_data(), tensor.mutable_data<std::int32_t>().begin()); return {};
    case DType::kUInt32: return copy_narrowed<std::uint32_t>(proto.uint64_data(), tensor);
    case DType::kInt8: return copy_narrowed<std::int8_t>(proto.int32_data(), tensor);
    case DType::kUInt8: return copy_narrowed<std::uint8_t>(proto.int32_data(), tensor);
    case DType::kInt16: return copy_narrowed<std::int16_t>(proto.int32_data(), tensor);
    case DType::kUInt16: return copy_narrowed<std::uint16_t>(proto.int32_data(), tensor);
    case DType::kBool: return copy_narrowed<bool>(proto.int32_data(), tensor);
  }
  return fail(ErrorCode::kInternal, "found a type without a field");
}

Result<Tensor> tensor_from_raw(const std::string& raw, DType dtype, Dims dims) {
  if (dtype == DType::kBool && std::ranges::any_of(raw, [](char c) { return c != 0 && c != 1; })) {
    return fail(ErrorCode::kCorrupt, "found a byte other than 0 and 1, expected bool elements");
  }
  return Tensor::from_bytes(dtype, std::move(dims), std::as_bytes(std::span(raw)));
}

Status check_location(const pb::TensorProto& proto) {
  if (proto.data_location() == pb::TensorProto::EXTERNAL || proto.external_data_size() > 0) {
    std::string location = "an unnamed file";
    for (const auto& entry : proto.external_data()) {
      if (entry.key() == "location") location = in_quotes(entry.value());
    }
    return fail(ErrorCode::kUnsupported,
                fmt::format("found data in another file ({}), expected it in the model; save the model with its weights inside", location));
  }
  if (proto.has_segment()) return fail(ErrorCode::kUnsupported, "found a segment of a tensor, expected a whole one");
  return {};
}

Result<Dims> dims_from_proto(const pb::TensorProto& proto) {
  if (proto.dims_size() > kMaxRank) {
    return fail(ErrorCode::kUnsupported, fmt::format("found rank {}, expected at most {}", proto.dims_size(), kMaxRank));
  }
  return Dims(proto.dims().begin(), proto.dims().end());
}

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

Result<DType> dtype_from_proto(std::int32_t data_type) {
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == data_type) return ours;
  }
  const std::string name = pb::TensorProto::DataType_IsValid(data_type)
                               ? pb::TensorProto::DataType_Name(static_cast<pb::TensorProto::DataType>(data_type))
                               : std::to_string(data_type);
  return fail(ErrorCode::kUnsupported,
              fmt::format("found element type {}, expected FLOAT, DOUBLE, BOOL or an integer of 8 to 64 bits", name));
}

Result<Tensor> tensor_from_proto(const pb::TensorProto& proto) {
  MORU_RETURN_IF_ERROR(check_location(proto));
  MORU_ASSIGN_OR_RETURN(const DType dtype, dtype_from_proto(proto.data_type()));
  MORU_ASSIGN_OR_RETURN(Dims dims, dims_from_proto(proto));
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(dims, dtype));
  if (proto.has_raw_data()) return tensor_from_raw(proto.raw_data(), dtype, std::move(dims));
  if (const int found = typed_count(proto, dtype); found != count) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("found {} elements, expected {} for {} {}", found, count, to_string(dtype), to_string(dims)));
  }
  MORU_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(dtype, std::move(dims)));
  MORU_RETURN_IF_ERROR(copy_typed(proto, tensor));
  return tensor;
}

void tensor_to_proto(const Tensor& tensor, pb::TensorProto* proto) {
  proto->set_data_type(dtype_to_proto(tensor.dtype()));
  for (const std::int64_t extent : tensor.dims()) proto->add_dims(extent);
  proto->set_raw_data(tensor.bytes().data(), tensor.bytes().size());
}

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

Result<Attribute> attribute_from_proto(const pb::AttributeProto& proto) {
  if (!proto.ref_attr_name().empty()) return fail(ErrorCode::kUnsupported, "found a reference to a function's attribute, expected a value");
  switch (proto.type()) {
    case pb::AttributeProto::INT: return proto.i();
    case pb::AttributeProto::FLOAT: return proto.f();
    case pb::AttributeProto::STRING: return proto.s();
    case pb::AttributeProto::INTS: return std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end());
    case pb::AttributeProto::FLOATS: return std::vector<float>(proto.floats().begin(), proto.floats().end());
    case pb::AttributeProto::STRINGS: return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
    case pb::AttributeProto::TENSOR: {
      MORU_ASSIGN_OR_RETURN(Tensor tensor, tensor_from_proto(proto.t()));
      return tensor;
    }
    case pb::AttributeProto::UNDEFINED: return fail(ErrorCode::kCorrupt, "found no type, expected one");
    case pb::AttributeProto::GRAPH:
    case pb::AttributeProto::SPARSE_TENSOR:
    case pb::AttributeProto::TYPE_PROTO:
    case pb::AttributeProto::TENSORS:
    case pb::AttributeProto::GRAPHS:
    case pb::AttributeProto::SPARSE_TENSORS:
    case pb::AttributeProto::TYPE_PROTOS: break;
  }
  return fail(ErrorCode::kUnsupported, fmt::format("found type {}, expected INT, FLOAT, STRING, TENSOR or a list of the first three",
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
             },
             attribute);
}

}  // namespace moru::model::onnx
