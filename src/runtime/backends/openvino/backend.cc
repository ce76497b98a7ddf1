// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/backend.h"

#include "runtime/backends/openvino/library.h"
#include "runtime/backends/openvino/session.h"

namespace moru::runtime {
namespace {

BackendInfo info() {
  const auto& library = openvino::library();
  if (!library) return {.available = false, .version = "", .reason = library.error().message};
  static const std::vector<Device> devices = openvino::devices(*library);
  return {.available = true, .version = library->version, .reason = "", .devices = devices};
}

Result<std::unique_ptr<Session>> load(const ModelBytes& model, const SessionOptions& options) {
  const auto& library = openvino::library();
  if (!library) return fail(library.error());
  return openvino::OpenVinoModel::load(*library, model, options);
}

/// Not TFLite: its own reader of that takes quantised ops up to 228 steps from what they mean, and the same models, converted by us, run
/// as fast or faster (tests/models/op_agreement_test.cc).
constexpr std::string_view kFormats[] = {"onnx"};
constexpr SettingSpec kSettings[] = {
    {"precision", "what floats are computed in: f32, bf16 or f16; without it as the model says"},
};
/// The C interface, the runtime with its threads, the front ends of our formats, and the plug-ins of processors; the front ends of other
/// frameworks stay behind (TensorFlow's looks at every file and prints what it thinks of it).
constexpr PackageFile kFiles[] = {
    {"openvino/libs/libopenvino_c.so.2641", "libopenvino_c.so.2641"},
    {"openvino/libs/libopenvino.so.2641", "libopenvino.so.2641"},
    {"openvino/libs/libopenvino_onnx_frontend.so.2641", "libopenvino_onnx_frontend.so.2641"},
    {"openvino/libs/libopenvino_ir_frontend.so.2641", "libopenvino_ir_frontend.so.2641"},
    {"openvino/libs/libopenvino_intel_cpu_plugin.so", "libopenvino_intel_cpu_plugin.so"},
    {"openvino/libs/libopenvino_intel_gpu_plugin.so", "libopenvino_intel_gpu_plugin.so"},
    {"openvino/libs/libopenvino_intel_npu_plugin.so", "libopenvino_intel_npu_plugin.so"},
    {"openvino/libs/cache.json", "cache.json"},  // which kernels are fast on which GPU
    {"openvino/libs/libtbb.so.12", "libtbb.so.12"},
    {"openvino/libs/libtbbmalloc.so.2", "libtbbmalloc.so.2"},
    {"openvino/libs/libtbbbind_2_5.so.3", "libtbbbind_2_5.so.3"},
    {"openvino/libs/libhwloc.so.15", "libhwloc.so.15"},
};
constexpr PackageSpec kPackages[] = {{.client = "pip",
                                      .name = "openvino",
                                      .version = "2026.4.1",
                                      .tag = "22982-cp311-cp311-manylinux_2_28_x86_64",
                                      .sha256 = "2d22b1da03f7caf74df30e9f6417d0ab2f637e4a38e08e1dcd294d2c37407aaf",
                                      .files = kFiles}};

}  // namespace

extern const BackendSpec kBackend_openvino;
const BackendSpec kBackend_openvino{
    .name = "openvino",
    .doc = "OpenVINO on Intel's processors: CPU, GPU and NPU by name. Its shared library is loaded when it is first used.",
    .formats = kFormats,
    .settings = kSettings,
    .packages = kPackages,
    .info = info,
    .load = load,
};

}  // namespace moru::runtime
