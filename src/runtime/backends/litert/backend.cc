// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/backend.h"

#include <fmt/format.h>

#include "core/text.h"
#include "runtime/backends/litert/library.h"
#include "runtime/backends/litert/loader.h"

namespace moru::runtime {
namespace {

constexpr std::string_view kCpu = "cpu";

BackendInfo info() {
  const auto& library = litert::library();
  if (!library) return {.available = false, .version = "", .reason = library.error().message};
  return {
      .available = true, .version = std::string(litert::kVersion), .reason = "", .devices = {{std::string(kCpu), "this machine's CPU"}}};
}

Result<std::unique_ptr<Session>> load(const ModelBytes& model, const SessionOptions& options) {
  const auto& library = litert::library();
  if (!library) return fail(library.error());
  if (!options.device.empty() && options.device != kCpu) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("backend litert: found no device {}, expected {}; others are brought by the setting {}",
                            in_quotes(options.device), kCpu, litert::kDelegate));
  }
  return litert::load_model(*library, model.bytes, options);
}

constexpr std::string_view kFormats[] = {"tflite"};
constexpr SettingSpec kSettings[] = {
    {litert::kKernels, "What computes the ops: xnnpack, builtin (optimised kernels) or reference (plain ones). Without it xnnpack."},
    {litert::kDelegate,
     "Path of a library with a delegate (tflite_plugin_create_delegate), for an Edge TPU say. It takes the ops that it can; the kernels "
     "compute the others. Without it none."},
    {litert::kDelegateOptions, "What the delegate is told: key=value;key=value. Without it nothing."},
};
constexpr PackageFile kFiles[] = {{"ai_edge_litert/libLiteRt.so", "libLiteRt.so"}};
constexpr PackageSpec kPackages[] = {{.client = "pip",
                                      .name = "ai-edge-litert",
                                      .version = litert::kVersion,
                                      .tag = "cp311-cp311-manylinux_2_27_x86_64",
                                      .sha256 = "1bed8ccd8dfc4f2ec388bc79cb90920c261a244995ce378d396fb8967b7db640",
                                      .files = kFiles}};

}  // namespace

extern const BackendSpec kBackend_litert;
const BackendSpec kBackend_litert{
    .name = "litert",
    .doc =
        "LiteRT, TensorFlow Lite's runtime, on the CPU or with a delegate out of a library. Its shared library is loaded when it is first "
        "used.",
    .formats = kFormats,
    .settings = kSettings,
    .packages = kPackages,
    .info = info,
    .load = load,
};

}  // namespace moru::runtime
