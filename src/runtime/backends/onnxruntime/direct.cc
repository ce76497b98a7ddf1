// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/direct.h"

#include <string>

#include "runtime/backends/onnxruntime/library.h"

namespace moru::runtime {
namespace {

using ort::Handle;

class Direct final : public DirectModel {
 public:
  static Result<std::unique_ptr<DirectModel>> load(std::string_view bytes, std::span<const model::ConstTensorView> inputs,
                                                   std::span<const model::TensorView> outputs) {
    const auto& library = ort::library();
    if (!library) return fail(library.error());
    std::unique_ptr<Direct> made(new Direct(*library->api));
    MORU_RETURN_IF_ERROR(made->make_session(library->env, bytes));
    MORU_RETURN_IF_ERROR(made->make_binding());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      MORU_RETURN_IF_ERROR(made->bind(true, i, const_cast<std::byte*>(inputs[i].bytes.data()), inputs[i].bytes.size(), inputs[i].dims));
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      MORU_RETURN_IF_ERROR(made->bind(false, i, outputs[i].bytes.data(), outputs[i].bytes.size(), outputs[i].dims));
    }
    return made;
  }

  bool run() override { return api_.RunWithBinding(session_.get(), nullptr, binding_.get()) == nullptr; }

 private:
  explicit Direct(const OrtApi& api) : api_(api) {}

  Status ok(OrtStatus* status) const { return ort::take(api_, status, "direct", ErrorCode::kUnsupported); }

  Status make_session(const OrtEnv* env, std::string_view bytes) {
    OrtSessionOptions* raw = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.CreateSessionOptions(&raw)));
    const Handle<OrtSessionOptions> options(raw, {api_.ReleaseSessionOptions});
    MORU_RETURN_IF_ERROR(ok(api_.SetIntraOpNumThreads(raw, 1)));
    MORU_RETURN_IF_ERROR(ok(api_.SetInterOpNumThreads(raw, 1)));
    MORU_RETURN_IF_ERROR(ok(api_.SetSessionExecutionMode(raw, ORT_SEQUENTIAL)));
    MORU_RETURN_IF_ERROR(ok(api_.SetSessionGraphOptimizationLevel(raw, ORT_ENABLE_ALL)));
    MORU_RETURN_IF_ERROR(ok(api_.AddSessionConfigEntry(raw, "session.intra_op.allow_spinning", "0")));
    OrtSession* session = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.CreateSessionFromArray(env, bytes.data(), bytes.size(), raw, &session)));
    session_ = Handle<OrtSession>(session, {api_.ReleaseSession});
    return {};
  }

  Status make_binding() {
    OrtMemoryInfo* memory = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory)));
    memory_ = Handle<OrtMemoryInfo>(memory, {api_.ReleaseMemoryInfo});
    OrtIoBinding* binding = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.CreateIoBinding(session_.get(), &binding)));
    binding_ = Handle<OrtIoBinding>(binding, {api_.ReleaseIoBinding});
    return {};
  }

  Result<ONNXTensorElementDataType> type_of(bool input, std::size_t index) const {
    OrtTypeInfo* raw = nullptr;
    MORU_RETURN_IF_ERROR(
        ok(input ? api_.SessionGetInputTypeInfo(session_.get(), index, &raw) : api_.SessionGetOutputTypeInfo(session_.get(), index, &raw)));
    const Handle<OrtTypeInfo> info(raw, {api_.ReleaseTypeInfo});
    const OrtTensorTypeAndShapeInfo* tensor = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.CastTypeInfoToTensorInfo(raw, &tensor)));
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    MORU_RETURN_IF_ERROR(ok(api_.GetTensorElementType(tensor, &type)));
    return type;
  }

  Status bind(bool input, std::size_t index, std::byte* data, std::size_t size, std::span<const std::int64_t> dims) {
    OrtAllocator* allocator = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.GetAllocatorWithDefaultOptions(&allocator)));
    char* raw = nullptr;
    MORU_RETURN_IF_ERROR(ok(input ? api_.SessionGetInputName(session_.get(), index, allocator, &raw)
                                  : api_.SessionGetOutputName(session_.get(), index, allocator, &raw)));
    const std::string name(raw);
    MORU_RETURN_IF_ERROR(ok(api_.AllocatorFree(allocator, raw)));
    MORU_ASSIGN_OR_RETURN(const ONNXTensorElementDataType type, type_of(input, index));
    OrtValue* value = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.CreateTensorWithDataAsOrtValue(memory_.get(), data, size, dims.data(), dims.size(), type, &value)));
    const Handle<OrtValue> owned(value, {api_.ReleaseValue});  // the binding keeps a share of its own
    return ok(input ? api_.BindInput(binding_.get(), name.c_str(), value) : api_.BindOutput(binding_.get(), name.c_str(), value));
  }

  const OrtApi& api_;
  Handle<OrtSession> session_;
  Handle<OrtMemoryInfo> memory_;
  Handle<OrtIoBinding> binding_;
};

}  // namespace

extern const DirectSpec kDirect_onnxruntime;
const DirectSpec kDirect_onnxruntime{.name = "onnxruntime", .load = Direct::load};

}  // namespace moru::runtime
