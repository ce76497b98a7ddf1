// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/direct.h"

#include <cstdlib>
#include <cstring>
#include <vector>

#include "runtime/backends/litert/delegate.h"
#include "runtime/backends/litert/library.h"
#include "runtime/backends/litert/session.h"

namespace moru::runtime {
namespace {

using litert::Handle;

class Direct final : public DirectModel {
 public:
  static Result<std::unique_ptr<DirectModel>> load(std::string_view bytes, std::span<const model::ConstTensorView> inputs,
                                                   std::span<const model::TensorView> outputs) {
    const auto& library = litert::library();
    if (!library) return fail(library.error());
    std::unique_ptr<Direct> made(new Direct(*library, inputs.size()));
    MORU_RETURN_IF_ERROR(made->compile(bytes, outputs.size()));
    for (const auto& input : inputs) {
      MORU_RETURN_IF_ERROR(made->bind(input.dtype, input.dims, const_cast<std::byte*>(input.bytes.data()), input.bytes.size()));
    }
    for (const auto& output : outputs) {
      MORU_RETURN_IF_ERROR(made->bind(output.dtype, output.dims, output.bytes.data(), output.bytes.size()));
    }
    return made;
  }

  bool run() override {
    return api_.run(compiled_.get(), 0, inputs_, raw_.data(), raw_.size() - inputs_, raw_.data() + inputs_) == litert::Code::kOk;
  }

 private:
  Direct(const litert::Api& api, std::size_t inputs) : api_(api), inputs_(inputs) {}

  static Status ok(litert::Code code) { return litert::take(code, "direct", ErrorCode::kUnsupported); }

  Status compile(std::string_view bytes, std::size_t outputs) {
    const litert::EnvironmentOption no_accelerators = {litert::EnvironmentTag::kAutoRegisterAccelerators, {.value = litert::kNoHardware}};
    litert::Environment* environment = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.create_environment(1, &no_accelerators, &environment)));
    environment_ = Handle<litert::Environment>(environment, {api_.destroy_environment});
    MORU_RETURN_IF_ERROR(litert::register_accelerators(api_, environment, false));
    litert::LoadedModel* model = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.create_model(bytes.data(), bytes.size(), &model)));
    loaded_ = Handle<litert::LoadedModel>(model, {api_.destroy_model});
    litert::Options* raw = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.create_options(&raw)));
    const Handle<litert::Options> options(raw, {api_.destroy_options});
    MORU_RETURN_IF_ERROR(ok(api_.set_hardware(raw, litert::kCpu)));
    litert::OpaqueOptions* cpu = nullptr;
    char* payload = ::strdup("kernel_mode = \"xnnpack\"\nnum_threads = 1\n");
    MORU_RETURN_IF_ERROR(ok(api_.create_opaque_options("xnnpack", payload, std::free, &cpu)));
    MORU_RETURN_IF_ERROR(ok(api_.add_opaque_options(raw, cpu)));
    litert::CompiledModel* compiled = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.create_compiled_model(environment, model, raw, &compiled)));
    compiled_ = Handle<litert::CompiledModel>(compiled, {api_.destroy_compiled_model});
    std::vector<litert::Layout> layouts(outputs);
    return ok(api_.output_layouts(compiled, 0, outputs, layouts.data(), true));
  }

  Status bind(model::DType dtype, std::span<const std::int64_t> dims, std::byte* data, std::size_t size) {
    litert::TensorType type = {};
    type.element_type = *litert::element_type(dtype);
    type.layout.rank = static_cast<std::uint32_t>(dims.size()) & 0x7FU;
    for (std::size_t i = 0; i < dims.size(); ++i) type.layout.dimensions[i] = static_cast<std::int32_t>(dims[i]);
    litert::TensorBuffer* made = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.create_buffer(&type, data, size, nullptr, &made)));
    buffers_.push_back(Handle<litert::TensorBuffer>(made, {api_.destroy_buffer}));
    raw_.push_back(made);
    return {};
  }

  const litert::Api& api_;
  std::size_t inputs_;
  Handle<litert::Environment> environment_;
  Handle<litert::LoadedModel> loaded_;
  Handle<litert::CompiledModel> compiled_;
  std::vector<Handle<litert::TensorBuffer>> buffers_;
  std::vector<litert::TensorBuffer*> raw_;  ///< inputs, then outputs
};

}  // namespace

extern const DirectSpec kDirect_litert;
const DirectSpec kDirect_litert{.name = "litert", .load = Direct::load};

}  // namespace moru::runtime
