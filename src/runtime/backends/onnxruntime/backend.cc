// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/backend.h"

#include "runtime/backends/onnxruntime/library.h"
#include "runtime/backends/onnxruntime/providers.h"
#include "runtime/backends/onnxruntime/session.h"

namespace moru::runtime {
namespace {

BackendInfo info() {
  const auto& library = ort::library();
  if (!library) return {.available = false, .version = "", .reason = library.error().message};
  return {.available = true, .version = library->version, .reason = "", .devices = ort::devices_of(*library)};
}

Result<std::unique_ptr<Session>> load(const ModelBytes& model, const SessionOptions& options) {
  const auto& library = ort::library();
  if (!library) return fail(library.error());
  return ort::OrtModel::load(*library, model.bytes, options,
                             [&](OrtSessionOptions* raw) { return ort::add_provider(*library, options.device, model.bytes, raw); });
}

constexpr std::string_view kFormats[] = {"onnx"};
constexpr PackageFile kFiles[] = {{"onnxruntime/capi/libonnxruntime.so.1.32.0", "libonnxruntime.so"}};
constexpr PackageSpec kPackages[] = {{.client = "pip",
                                      .name = "onnxruntime",
                                      .version = "1.32.0",
                                      .tag = "cp311-cp311-manylinux_2_28_x86_64",
                                      .sha256 = "5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d",
                                      .files = kFiles,
                                      .size_bytes = 27773237}};

}  // namespace

extern const BackendSpec kBackend_onnxruntime;
const BackendSpec kBackend_onnxruntime{
    .name = "onnxruntime",
    .doc = "ONNX Runtime: fast, knows every standard op, on the CPU or on what its library was built for.",
    .formats = kFormats,
    .settings = {},
    .packages = kPackages,
    .info = info,
    .load = load,
};

}  // namespace moru::runtime
