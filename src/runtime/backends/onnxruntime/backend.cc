// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/backend.h"

#include "runtime/backends/onnxruntime/library.h"
#include "runtime/backends/onnxruntime/session.h"

namespace moru::runtime {
namespace {

BackendInfo info() {
  const auto& library = ort::library();
  if (!library) return {.available = false, .version = "", .reason = library.error().message};
  return {.available = true, .version = library->version, .reason = ""};
}

Result<std::unique_ptr<Session>> load(std::string_view onnx, const SessionOptions& options) {
  const auto& library = ort::library();
  if (!library) return fail(library.error());
  return ort::OrtModel::load(*library, onnx, options);
}

}  // namespace

extern const BackendSpec kBackend_onnxruntime;
const BackendSpec kBackend_onnxruntime{
    .name = "onnxruntime",
    .doc = "ONNX Runtime on the CPU: fast, knows every standard op. Its shared library is loaded when it is first used.",
    .info = info,
    .load = load,
};

}  // namespace moru::runtime
