// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/direct.h"

#include <vector>

#include "runtime/backends/openvino/library.h"
#include "runtime/backends/openvino/loader.h"

namespace moru::runtime {
namespace {

using openvino::Handle;

class Direct final : public DirectModel {
 public:
  static Result<std::unique_ptr<DirectModel>> load(std::string_view bytes, std::span<const model::ConstTensorView> inputs,
                                                   std::span<const model::TensorView> outputs) {
    const auto& library = openvino::library();
    if (!library) return fail(library.error());
    std::unique_ptr<Direct> made(new Direct(library->api));
    MORU_RETURN_IF_ERROR(made->compile(library->core, bytes));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      MORU_RETURN_IF_ERROR(made->bind(true, i, inputs[i].dtype, const_cast<std::byte*>(inputs[i].bytes.data()), inputs[i].dims));
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      MORU_RETURN_IF_ERROR(made->bind(false, i, outputs[i].dtype, outputs[i].bytes.data(), outputs[i].dims));
    }
    return made;
  }

  bool run() override { return api_.infer_request_infer(request_.get()) == OK; }

 private:
  explicit Direct(const openvino::Api& api) : api_(api) {}

  Status ok(ov_status_e status) const { return openvino::check(api_, status, "direct", ErrorCode::kUnsupported); }

  Status compile(const ov_core_t* core, std::string_view bytes) {
    ov_model_t* read = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.core_read_model_from_memory_buffer(core, bytes.data(), bytes.size(), nullptr, &read)));
    const Handle<ov_model_t> model(read, {api_.model_free});
    const ov_property_t properties[] = {{"PERFORMANCE_HINT", "LATENCY"},
                                        {"EXECUTION_MODE_HINT", "ACCURACY"},
                                        {"INFERENCE_NUM_THREADS", "1"},
                                        {"NUM_STREAMS", "0"},
                                        {"ENABLE_CPU_PINNING", "NO"}};
    ov_compiled_model_t* compiled = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.core_compile_model_props(core, read, "CPU", std::size(properties), properties, &compiled)));
    compiled_ = Handle<ov_compiled_model_t>(compiled, {api_.compiled_model_free});
    ov_infer_request_t* request = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.compiled_model_create_infer_request(compiled, &request)));
    request_ = Handle<ov_infer_request_t>(request, {api_.infer_request_free});
    return {};
  }

  Status bind(bool input, std::size_t index, model::DType dtype, std::byte* data, std::span<const std::int64_t> dims) {
    const ov_shape_t shape{static_cast<std::int64_t>(dims.size()), const_cast<std::int64_t*>(dims.data())};
    ov_tensor_t* raw = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.tensor_create_from_host_ptr(openvino::to_theirs(dtype), shape, data, &raw)));
    tensors_.push_back(Handle<ov_tensor_t>(raw, {api_.tensor_free}));
    return ok(input ? api_.infer_request_set_input_tensor_by_index(request_.get(), index, raw)
                    : api_.infer_request_set_output_tensor_by_index(request_.get(), index, raw));
  }

  const openvino::Api& api_;
  Handle<ov_compiled_model_t> compiled_;
  std::vector<Handle<ov_tensor_t>> tensors_;
  Handle<ov_infer_request_t> request_;
};

}  // namespace

extern const DirectSpec kDirect_openvino;
const DirectSpec kDirect_openvino{.name = "openvino", .load = Direct::load};

}  // namespace moru::runtime
