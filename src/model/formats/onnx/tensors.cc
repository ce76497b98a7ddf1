// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "core/text.h"

namespace moru::model::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX's raw data and our tensors are little-endian");

constexpr std::pair<DType, pb::TensorProto::DataType> kTypes[] = {
    {DType::kFloat32, pb::TensorProto::FLOAT},
    {DType::kFloat64, pb::TensorProto::DOUBLE},
    {DType::kInt8, pb::TensorProto::INT8},
    {DType::kUInt8, pb::TensorProto::UINT8},
    {DType::kInt16, pb::TensorProto::INT16},
    {DType::kUInt16, pb::TensorProto::UINT16},
    {DType::kInt32, pb::TensorProto::INT32},
    {DType::kUInt32, pb::TensorProto::UINT32},
    {DType::kInt64, pb::TensorProto::INT64},
    {DType::kUInt64, pb::TensorProto::UINT64},
    {DType::kBool, pb::TensorProto::BOOL},
    {DType::kFloat16, pb::TensorProto::FLOAT16},
    {DType::kBFloat16, pb::TensorProto::BFLOAT16},
    {DType::kFloat8E4M3FN, pb::TensorProto::FLOAT8E4M3FN},
    {DType::kFloat8E4M3FNUZ, pb::TensorProto::FLOAT8E4M3FNUZ},
    {DType::kFloat8E5M2, pb::TensorProto::FLOAT8E5M2},
    {DType::kFloat8E5M2FNUZ, pb::TensorProto::FLOAT8E5M2FNUZ},
    {DType::kComplex64, pb::TensorProto::COMPLEX64},
    {DType::kComplex128, pb::TensorProto::COMPLEX128},
    {DType::kInt4, pb::TensorProto::INT4},
    {DType::kUInt4, pb::TensorProto::UINT4},
    {DType::kString, pb::TensorProto::STRING},
};

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

/// Calls f.operator()<T, Wire>(field): elements of `dtype` lie in `field` as numbers of type Wire, each of which becomes a T of
/// the tensor's bytes (floats of 16 bits as their bits, two elements of 4 bits in one number, the parts of a complex number one by
/// one). As onnx.proto says.
template <class F>
Status with_field(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kComplex64: return f.template operator()<float, float>(DataField::kFloat);
    case DType::kFloat64:
    case DType::kComplex128: return f.template operator()<double, double>(DataField::kDouble);
    case DType::kInt64: return f.template operator()<std::int64_t, std::int64_t>(DataField::kInt64);
    case DType::kUInt64: return f.template operator()<std::uint64_t, std::uint64_t>(DataField::kUInt64);
    case DType::kUInt32: return f.template operator()<std::uint32_t, std::uint64_t>(DataField::kUInt64);
    case DType::kInt32: return f.template operator()<std::int32_t, std::int32_t>(DataField::kInt32);
    case DType::kInt16: return f.template operator()<std::int16_t, std::int32_t>(DataField::kInt32);
    case DType::kUInt16:
    case DType::kFloat16:
    case DType::kBFloat16: return f.template operator()<std::uint16_t, std::int32_t>(DataField::kInt32);
    case DType::kInt8: return f.template operator()<std::int8_t, std::int32_t>(DataField::kInt32);
    case DType::kBool: return f.template operator()<bool, std::int32_t>(DataField::kInt32);
    case DType::kUInt8:
    case DType::kInt4:
    case DType::kUInt4:
    case DType::kFloat8E4M3FN:
    case DType::kFloat8E4M3FNUZ:
    case DType::kFloat8E5M2:
    case DType::kFloat8E5M2FNUZ: return f.template operator()<std::uint8_t, std::int32_t>(DataField::kInt32);
    case DType::kString: break;
  }
  return fail(ErrorCode::kInternal, "found a type without a field, expected one for each");
}

/// The numbers of a packed field, one after the other.
template <class Wire>
class PackedNumbers {
 public:
  explicit PackedNumbers(std::string_view bytes) : bytes_(bytes) {}

  std::size_t count() const {
    if constexpr (std::is_floating_point_v<Wire>) return bytes_.size() / sizeof(Wire) + (bytes_.size() % sizeof(Wire) != 0 ? 1 : 0);
    return static_cast<std::size_t>(std::ranges::count_if(bytes_, [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
  }

  std::optional<Wire> next() {
    if constexpr (std::is_floating_point_v<Wire>) {
      if (bytes_.size() - at_ < sizeof(Wire)) return std::nullopt;
      Wire value{};
      std::memcpy(&value, bytes_.data() + at_, sizeof(Wire));
      at_ += sizeof(Wire);
      return value;
    } else {
      std::uint64_t value = 0;
      for (unsigned shift = 0; shift < 70 && at_ < bytes_.size(); shift += 7) {
        const auto byte = static_cast<unsigned char>(bytes_[at_++]);
        if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
        if (byte < 0x80) return static_cast<Wire>(value);
      }
      return std::nullopt;
    }
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

/// The numbers of a field that protobuf has read.
template <class Wire>
class ListedNumbers {
 public:
  explicit ListedNumbers(const google::protobuf::RepeatedField<Wire>& field) : field_(field) {}
  std::size_t count() const { return static_cast<std::size_t>(field_.size()); }
  std::optional<Wire> next() { return field_.Get(at_++); }

 private:
  const google::protobuf::RepeatedField<Wire>& field_;
  int at_ = 0;
};

template <class Wire>
const google::protobuf::RepeatedField<Wire>& listed(const pb::TensorProto& proto) {
  if constexpr (std::is_same_v<Wire, float>) return proto.float_data();
  if constexpr (std::is_same_v<Wire, double>) return proto.double_data();
  if constexpr (std::is_same_v<Wire, std::int32_t>) return proto.int32_data();
  if constexpr (std::is_same_v<Wire, std::int64_t>) return proto.int64_data();
  if constexpr (std::is_same_v<Wire, std::uint64_t>) return proto.uint64_data();
}

/// Makes a tensor of a list of numbers, of which there must be as many as the shape needs, and each must fit.
template <class T, class Numbers>
Result<Tensor> tensor_of_numbers(Numbers numbers, DType dtype, Dims dims, ReadBudget* budget) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(dims, dtype));
  const std::size_t size = bytes_for(dtype, count);
  if (numbers.count() != size / sizeof(T)) {
    return corrupt(
        fmt::format("found {} numbers, expected {} for {} {}", numbers.count(), size / sizeof(T), to_string(dtype), to_string(dims)));
  }
  if (budget != nullptr) MORU_RETURN_IF_ERROR(budget->take(size));
  MORU_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(dtype, std::move(dims)));
  std::byte* to = tensor.mutable_bytes().data();
  for (std::size_t i = 0; i < size / sizeof(T); ++i) {
    const auto value = numbers.next();
    if (!value) return corrupt(fmt::format("found no number at element {}, expected one", i));
    if constexpr (std::is_integral_v<T>) {
      bool fits = *value == 0 || *value == 1;
      if constexpr (!std::is_same_v<T, bool>) fits = std::in_range<T>(*value);
      if (!fits) return corrupt(fmt::format("found value {} at element {}, expected one of type {}", *value, i, to_string(dtype)));
    }
    const T element = static_cast<T>(*value);
    std::memcpy(to + i * sizeof(T), &element, sizeof(T));
  }
  return tensor;
}

/// Bytes as they are in memory: borrowed from their owner, or copied.
Result<Tensor> tensor_of_bytes(std::string_view bytes, DType dtype, Dims dims, const std::shared_ptr<const void>& owner,
                               ReadBudget* budget) {
  if (dtype == DType::kBool && std::ranges::any_of(bytes, [](char c) { return c != 0 && c != 1; }))
    return corrupt("found a byte other than 0 and 1, expected bool elements");
  const auto data = std::as_bytes(std::span(bytes));
  if (owner) return Tensor::borrow(dtype, std::move(dims), data, owner);
  if (budget != nullptr) MORU_RETURN_IF_ERROR(budget->take(bytes.size()));
  return Tensor::from_bytes(dtype, std::move(dims), data);
}

Result<Tensor> tensor_of_strings(const pb::TensorProto& proto, Dims dims) {
  if (proto.has_raw_data()) return corrupt("found strings as numbers, expected them in string_data");
  const std::vector<std::string> values(proto.string_data().begin(), proto.string_data().end());
  return Tensor::of_strings(std::move(dims), values);
}

Result<Tensor> tensor_of_payload(const Payload& payload, DType dtype, Dims dims, const TensorSource& source) {
  if (payload.field == DataField::kRaw) return tensor_of_bytes(payload.bytes, dtype, std::move(dims), source.owner, source.budget);
  Result<Tensor> tensor = fail(ErrorCode::kInternal, "no tensor");
  MORU_RETURN_IF_ERROR(with_field(dtype, [&]<class T, class Wire>(DataField field) -> Status {
    if (field != payload.field) {
      return corrupt(fmt::format("found {}, expected {} or raw_data for {}", name_of(payload.field), name_of(field), to_string(dtype)));
    }
    // Packed floats are as in memory.
    tensor = std::is_floating_point_v<Wire>
                 ? tensor_of_bytes(payload.bytes, dtype, std::move(dims), source.owner, source.budget)
                 : tensor_of_numbers<T>(PackedNumbers<Wire>(payload.bytes), dtype, std::move(dims), source.budget);
    return {};
  }));
  return tensor;
}

Result<Tensor> tensor_of_fields(const pb::TensorProto& proto, DType dtype, Dims dims, const TensorSource& source) {
  Result<Tensor> tensor = fail(ErrorCode::kInternal, "no tensor");
  MORU_RETURN_IF_ERROR(with_field(dtype, [&]<class T, class Wire>(DataField) -> Status {
    tensor = tensor_of_numbers<T>(ListedNumbers<Wire>(listed<Wire>(proto)), dtype, std::move(dims), source.budget);
    return {};
  }));
  return tensor;
}

Result<Tensor> tensor_of_file(const pb::TensorProto& proto, DType dtype, Dims dims, const TensorSource& source) {
  MORU_ASSIGN_OR_RETURN(const ExternalPayload payload, external_payload(proto, source.external_files));
  const std::string_view bytes(reinterpret_cast<const char*>(payload.bytes.data()), payload.bytes.size());
  return tensor_of_bytes(bytes, dtype, std::move(dims), payload.owner, source.budget);
}

Result<Dims> dims_from_proto(const google::protobuf::RepeatedField<std::int64_t>& dims) {
  if (dims.size() > kMaxRank)
    return fail(ErrorCode::kUnsupported, fmt::format("found rank {}, expected at most {}", dims.size(), kMaxRank));
  return Dims(dims.begin(), dims.end());
}

}  // namespace

Result<DType> dtype_from_proto(std::int32_t data_type) {
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == data_type) return ours;
  }
  const std::string name = pb::TensorProto::DataType_IsValid(data_type)
                               ? pb::TensorProto::DataType_Name(static_cast<pb::TensorProto::DataType>(data_type))
                               : std::to_string(data_type);
  return fail(ErrorCode::kUnsupported, fmt::format("found element type {}, expected one of ONNX's up to opset 22", name));
}

pb::TensorProto::DataType dtype_to_proto(DType dtype) {
  const auto* it = std::ranges::find(kTypes, dtype, &std::pair<DType, pb::TensorProto::DataType>::first);
  MORU_CHECK(it != std::end(kTypes));
  return it->second;
}

Result<ExternalPayload> external_payload(const pb::TensorProto& proto, ExternalFiles* files) {
  std::map<std::string, std::string, std::less<>> entries;
  for (const auto& entry : proto.external_data()) {
    if (!entries.emplace(entry.key(), entry.value()).second)
      return corrupt(fmt::format("external data: found {} twice, expected once", in_quotes(entry.key())));
  }
  if (files != nullptr) return files->locate(entries);
  const auto location = entries.find("location");
  return fail(ErrorCode::kUnsupported,
              fmt::format("found data in another file ({}), expected it in the model; save the model with its weights inside",
                          location == entries.end() ? "an unnamed file" : in_quotes(location->second)));
}

Result<Tensor> tensor_from_proto(const pb::TensorProto& proto, const TensorSource& source) {
  if (proto.has_segment()) return fail(ErrorCode::kUnsupported, "found a segment of a tensor, expected a whole one");
  MORU_ASSIGN_OR_RETURN(const DType dtype, dtype_from_proto(proto.data_type()));
  MORU_ASSIGN_OR_RETURN(Dims dims, dims_from_proto(proto.dims()));
  MORU_RETURN_IF_ERROR(element_count(dims, dtype));
  if (is_external(proto)) return tensor_of_file(proto, dtype, std::move(dims), source);
  if (dtype == DType::kString) return tensor_of_strings(proto, std::move(dims));
  if (!proto.has_raw_data()) return tensor_of_fields(proto, dtype, std::move(dims), source);
  const std::string& raw = proto.raw_data();
  if (raw.starts_with(Skeleton::kInline))
    return tensor_of_bytes(std::string_view(raw).substr(1), dtype, std::move(dims), nullptr, source.budget);
  std::uint64_t index = 0;
  if (raw.size() == 1 + sizeof(index)) std::memcpy(&index, raw.data() + 1, sizeof(index));
  MORU_CHECK(raw.starts_with(Skeleton::kLocated) && index < source.payloads.size());
  return tensor_of_payload(source.payloads[index], dtype, std::move(dims), source);
}

Result<Tensor> tensor_from_proto(const pb::SparseTensorProto& proto, const TensorSource& source) {
  MORU_ASSIGN_OR_RETURN_IN("values", const Tensor values, tensor_from_proto(proto.values(), source));
  MORU_ASSIGN_OR_RETURN_IN("indices", const Tensor indices, tensor_from_proto(proto.indices(), source));
  MORU_ASSIGN_OR_RETURN(Dims dims, dims_from_proto(proto.dims()));
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(dims, values.dtype()));
  MORU_ASSIGN_OR_RETURN(const std::size_t size, element_size(values.dtype()));
  const bool linear = indices.rank() == 1;
  const bool tuples = indices.rank() == 2 && indices.dims()[1] == std::ssize(dims);
  if (values.rank() != 1 || indices.dtype() != DType::kInt64 || (!linear && !tuples) || indices.dims()[0] != values.count()) {
    return corrupt(fmt::format("found values {} and indices {} {}, expected [n] and int64 [n] or [n, {}]", to_string(values.dims()),
                               to_string(indices.dtype()), to_string(indices.dims()), dims.size()));
  }
  if (source.budget != nullptr) MORU_RETURN_IF_ERROR(source.budget->take(bytes_for(values.dtype(), count)));
  MORU_ASSIGN_OR_RETURN(Tensor dense, Tensor::create(values.dtype(), dims));
  const auto at = indices.data<std::int64_t>();
  const std::size_t width = linear ? 1 : dims.size();
  for (std::size_t i = 0; i < static_cast<std::size_t>(values.count()); ++i) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < width; ++axis) {
      const std::int64_t index = at[i * width + axis];
      const std::int64_t extent = linear ? count : dims[axis];
      if (index < 0 || index >= extent) return corrupt(fmt::format("indices: found {}, expected 0 to {}", index, extent - 1));
      offset = offset * extent + index;
    }
    std::memcpy(dense.mutable_bytes().data() + static_cast<std::size_t>(offset) * size, values.bytes().data() + i * size, size);
  }
  return dense;
}

void tensor_to_proto(const Tensor& tensor, pb::TensorProto* proto) {
  proto->set_data_type(dtype_to_proto(tensor.dtype()));
  for (const std::int64_t extent : tensor.dims()) proto->add_dims(extent);
  if (tensor.dtype() == DType::kString) {
    for (const std::string_view value : tensor.strings()) proto->add_string_data(std::string(value));
    return;
  }
  proto->set_raw_data(tensor.bytes().data(), tensor.bytes().size());
}

}  // namespace moru::model::onnx
