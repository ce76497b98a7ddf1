// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/onnxruntime/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace moru::runtime::ort {
namespace {

using model::DType;

constexpr std::string_view kLoad = "load model";

struct TypePair {
  DType ours;
  ONNXTensorElementDataType theirs;
};
constexpr TypePair kTypes[] = {
    {DType::kFloat32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT},
    {DType::kFloat64, ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE},
    {DType::kInt8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8},
    {DType::kUInt8, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8},
    {DType::kInt16, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16},
    {DType::kUInt16, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16},
    {DType::kInt32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {DType::kUInt32, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32},
    {DType::kInt64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
    {DType::kUInt64, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64},
    {DType::kBool, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL},
    {DType::kFloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16},
    {DType::kBFloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16},
    {DType::kFloat8E4M3FN, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E4M3FN},
    {DType::kFloat8E4M3FNUZ, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E4M3FNUZ},
    {DType::kFloat8E5M2, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E5M2},
    {DType::kFloat8E5M2FNUZ, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT8E5M2FNUZ},
    {DType::kInt4, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT4},
    {DType::kUInt4, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT4},
};

ONNXTensorElementDataType to_theirs(DType dtype) {
  return std::find_if(std::begin(kTypes), std::end(kTypes), [dtype](const TypePair& pair) { return pair.ours == dtype; })->theirs;
}

Result<DType> from_theirs(ONNXTensorElementDataType type, std::string_view name) {
  for (const auto& pair : kTypes) {
    if (pair.theirs == type) return pair.ours;
  }
  return fail(ErrorCode::kUnsupported, fmt::format("{}: '{}' has ONNX element type {}, expected a number or bool of 4 to 64 bits", kLoad,
                                                   name, static_cast<int>(type)));
}

/// Calls of the library while a model is loaded.
class Loader {
 public:
  explicit Loader(const Library& library) : api_(*library.api), env_(library.env) {}

  Result<Handle<OrtSession>> make_session(std::string_view onnx, const SessionOptions& options, const AddProviders& add_providers) const {
    OrtSessionOptions* raw = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.CreateSessionOptions(&raw)));
    const Handle<OrtSessionOptions> settings(raw, {api_.ReleaseSessionOptions});
    MORU_RETURN_IF_ERROR(ok(api_.SetIntraOpNumThreads(raw, options.threads)));
    MORU_RETURN_IF_ERROR(ok(api_.SetInterOpNumThreads(raw, 1)));
    MORU_RETURN_IF_ERROR(ok(api_.SetSessionExecutionMode(raw, ORT_SEQUENTIAL)));
    MORU_RETURN_IF_ERROR(ok(api_.SetSessionGraphOptimizationLevel(raw, ORT_ENABLE_ALL)));
    MORU_RETURN_IF_ERROR(ok(api_.SetSessionLogSeverityLevel(raw, ORT_LOGGING_LEVEL_FATAL)));
    // A node has other work: threads that wait must sleep.
    MORU_RETURN_IF_ERROR(ok(api_.AddSessionConfigEntry(raw, "session.intra_op.allow_spinning", "0")));
    if (add_providers) MORU_RETURN_IF_ERROR(add_providers(raw));
    OrtSession* session = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.CreateSessionFromArray(env_, onnx.data(), onnx.size(), raw, &session)));
    return Handle<OrtSession>(session, {api_.ReleaseSession});
  }

  Result<Handle<OrtMemoryInfo>> make_memory_info() const {
    OrtMemoryInfo* memory = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory)));
    return Handle<OrtMemoryInfo>(memory, {api_.ReleaseMemoryInfo});
  }

  Result<std::vector<Port>> ports(const OrtSession* session, bool inputs) const {
    std::size_t count = 0;
    MORU_RETURN_IF_ERROR(ok(inputs ? api_.SessionGetInputCount(session, &count) : api_.SessionGetOutputCount(session, &count)));
    std::vector<Port> all;
    for (std::size_t i = 0; i < count; ++i) {
      MORU_ASSIGN_OR_RETURN(auto port, make_port(session, inputs, i));
      all.push_back(std::move(port));
    }
    return all;
  }

 private:
  Status ok(OrtStatus* status) const { return take(api_, status, kLoad, ErrorCode::kUnsupported); }

  Result<std::string> port_name(const OrtSession* session, bool inputs, std::size_t index) const {
    OrtAllocator* allocator = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.GetAllocatorWithDefaultOptions(&allocator)));
    char* raw = nullptr;
    MORU_RETURN_IF_ERROR(ok(inputs ? api_.SessionGetInputName(session, index, allocator, &raw)
                                   : api_.SessionGetOutputName(session, index, allocator, &raw)));
    std::string name(raw);
    MORU_RETURN_IF_ERROR(ok(api_.AllocatorFree(allocator, raw)));
    return name;
  }

  Result<Port> make_port(const OrtSession* session, bool inputs, std::size_t index) const {
    Port port;
    MORU_ASSIGN_OR_RETURN(port.name, port_name(session, inputs, index));
    OrtTypeInfo* raw = nullptr;
    MORU_RETURN_IF_ERROR(
        ok(inputs ? api_.SessionGetInputTypeInfo(session, index, &raw) : api_.SessionGetOutputTypeInfo(session, index, &raw)));
    const Handle<OrtTypeInfo> type(raw, {api_.ReleaseTypeInfo});
    const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // borrowed from `type`
    MORU_RETURN_IF_ERROR(ok(api_.CastTypeInfoToTensorInfo(raw, &tensor)));
    if (tensor == nullptr) return fail(ErrorCode::kUnsupported, fmt::format("{}: '{}' is no tensor, expected one", kLoad, port.name));
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    MORU_RETURN_IF_ERROR(ok(api_.GetTensorElementType(tensor, &element)));
    MORU_ASSIGN_OR_RETURN(port.dtype, from_theirs(element, port.name));
    MORU_ASSIGN_OR_RETURN(port.shape, shape_of(tensor));
    return port;
  }

  Result<model::SymbolicShape> shape_of(const OrtTensorTypeAndShapeInfo* tensor) const {
    std::size_t rank = 0;
    MORU_RETURN_IF_ERROR(ok(api_.GetDimensionsCount(tensor, &rank)));
    std::vector<std::int64_t> extents(rank);
    std::vector<const char*> symbols(rank, "");
    MORU_RETURN_IF_ERROR(ok(api_.GetDimensions(tensor, extents.data(), rank)));
    MORU_RETURN_IF_ERROR(ok(api_.GetSymbolicDimensions(tensor, symbols.data(), rank)));
    model::SymbolicShape shape;
    for (std::size_t i = 0; i < rank; ++i) shape.push_back({extents[i] < 0 ? -1 : extents[i], extents[i] < 0 ? symbols[i] : ""});
    return shape;
  }

  const OrtApi& api_;
  const OrtEnv* env_;
};

}  // namespace

Result<std::unique_ptr<Session>> OrtModel::load(const Library& library, std::string_view onnx, const SessionOptions& options,
                                                const AddProviders& add_providers) {
  if (onnx.empty()) return fail(ErrorCode::kCorrupt, fmt::format("{}: found 0 bytes, expected an ONNX model", kLoad));
  const Loader loader(library);
  MORU_ASSIGN_OR_RETURN(auto session, loader.make_session(onnx, options, add_providers));
  MORU_ASSIGN_OR_RETURN(auto memory, loader.make_memory_info());
  MORU_ASSIGN_OR_RETURN(auto inputs, loader.ports(session.get(), true));
  MORU_ASSIGN_OR_RETURN(auto outputs, loader.ports(session.get(), false));
  return std::unique_ptr<Session>(new OrtModel(*library.api, std::move(session), std::move(memory), std::move(inputs), std::move(outputs)));
}

OrtModel::OrtModel(const OrtApi& api, Handle<OrtSession> session, Handle<OrtMemoryInfo> memory, std::vector<Port> inputs,
                   std::vector<Port> outputs)
    : api_(api),
      session_(std::move(session)),
      memory_(std::move(memory)),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)),
      checker_(inputs_, outputs_),
      slots_(inputs_.size() + outputs_.size()),
      values_(slots_.size(), nullptr) {
  for (const auto& port : inputs_) names_.push_back(port.name.c_str());
  for (const auto& port : outputs_) names_.push_back(port.name.c_str());
}

Status OrtModel::bind(Slot& slot, const Port& port, const std::byte* data, std::size_t size, std::span<const std::int64_t> dims) {
  if (slot.value && slot.data == data && std::ranges::equal(slot.dims, dims)) return {};
  OrtValue* value = nullptr;
  // The library does not write to inputs; its C interface has no word for that.
  MORU_RETURN_IF_ERROR(take(api_,
                            api_.CreateTensorWithDataAsOrtValue(memory_.get(), const_cast<std::byte*>(data), size, dims.data(), dims.size(),
                                                                to_theirs(port.dtype), &value),
                            fmt::format("bind '{}'", port.name), ErrorCode::kInvalidArgument));
  slot.value = Handle<OrtValue>(value, {api_.ReleaseValue});
  slot.data = data;
  slot.dims.assign(dims.begin(), dims.end());
  return {};
}

Status OrtModel::bind_inputs(std::span<const model::ConstTensorView> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    MORU_RETURN_IF_ERROR(bind(slots_[i], inputs_[i], inputs[i].bytes.data(), inputs[i].bytes.size(), inputs[i].dims));
    values_[i] = slots_[i].value.get();
  }
  return {};
}

Result<model::Tensor> OrtModel::copy_of(OrtValue* value, const Port& port) const {
  const auto ok = [&](OrtStatus* status) { return take(api_, status, fmt::format("read '{}'", port.name), ErrorCode::kInternal); };
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  MORU_RETURN_IF_ERROR(ok(api_.GetTensorTypeAndShape(value, &raw)));
  const Handle<OrtTensorTypeAndShapeInfo> info(raw, {api_.ReleaseTensorTypeAndShapeInfo});
  std::size_t rank = 0;
  MORU_RETURN_IF_ERROR(ok(api_.GetDimensionsCount(raw, &rank)));
  model::Dims dims(rank);
  MORU_RETURN_IF_ERROR(ok(api_.GetDimensions(raw, dims.data(), rank)));
  void* data = nullptr;
  MORU_RETURN_IF_ERROR(ok(api_.GetTensorMutableData(value, &data)));
  MORU_ASSIGN_OR_RETURN(model::Tensor tensor, model::Tensor::create(port.dtype, std::move(dims)));
  if (tensor.size_bytes() > 0) std::memcpy(tensor.mutable_bytes().data(), data, tensor.size_bytes());
  return tensor;
}

Result<std::vector<model::Tensor>> OrtModel::run_once(std::span<const model::Tensor> inputs) {
  std::vector<model::ConstTensorView> views;
  for (const auto& input : inputs) views.push_back(input.view());
  MORU_RETURN_IF_ERROR(checker_.check_inputs(views));
  MORU_RETURN_IF_ERROR(bind_inputs(views));
  std::vector<OrtValue*> made(outputs_.size(), nullptr);
  const auto status = take(api_,
                           api_.Run(session_.get(), nullptr, names_.data(), values_.data(), inputs.size(), names_.data() + inputs.size(),
                                    made.size(), made.data()),
                           "run model", ErrorCode::kInvalidArgument);
  std::vector<Handle<OrtValue>> owned;
  for (OrtValue* value : made) owned.emplace_back(value, Release<OrtValue>{api_.ReleaseValue});
  MORU_RETURN_IF_ERROR(status);
  std::vector<model::Tensor> tensors;
  for (std::size_t i = 0; i < made.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(auto tensor, copy_of(made[i], outputs_[i]));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

Status OrtModel::run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) {
  MORU_RETURN_IF_ERROR(checker_.check(inputs, outputs));
  MORU_RETURN_IF_ERROR(bind_inputs(inputs));
  const std::size_t first_output = inputs.size();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    auto& slot = slots_[first_output + i];
    MORU_RETURN_IF_ERROR(bind(slot, outputs_[i], outputs[i].bytes.data(), outputs[i].bytes.size(), outputs[i].dims));
    values_[first_output + i] = slot.value.get();
  }
  OrtStatus* status = api_.Run(session_.get(), nullptr, names_.data(), values_.data(), inputs.size(), names_.data() + first_output,
                               outputs.size(), values_.data() + first_output);
  return take(api_, status, "run model", ErrorCode::kInvalidArgument);
}

}  // namespace moru::runtime::ort
