// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/backend.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/digest.h"
#include "runtime/backends/onnxruntime/plugin.h"
#include "runtime/backends/onnxruntime/session.h"
#include "runtime/backends/tensorrt/driver.h"

namespace moru::runtime {
namespace {

constexpr std::string_view kWhere = "backend tensorrt";
constexpr std::string_view kProvider = "libonnxruntime_providers_nv_tensorrt_rtx.so";
constexpr std::string_view kPackageVersion = "0.5.0";
/// What the provider needs and does not look for beside itself, in the order in which it needs them.
constexpr std::string_view kBefore[] = {"libcudart.so.12", "libtensorrt_rtx.so.1", "libtensorrt_onnxparser_rtx.so.1"};

struct TensorRt {
  std::vector<tensorrt::Gpu> gpus;
  ort::Plugin plugin;
};

Result<TensorRt> start() {
  // The driver first: nothing of TensorRT may be called without one.
  TensorRt found;
  MORU_ASSIGN_OR_RETURN(found.gpus, tensorrt::find_gpus());
  MORU_ASSIGN_OR_RETURN(const Path path, find_backend_library("tensorrt", kProvider));
  for (const std::string_view name : kBefore) {
    const Path file = path.parent_path() / name;
    if (::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) continue;
    const char* why = ::dlerror();
    return fail(ErrorCode::kUnavailable, fmt::format("{}: found {} that cannot be loaded ({}), expected one for this machine", kWhere,
                                                     file.string(), why != nullptr ? why : "no reason given"));
  }
  auto plugin = ort::register_plugin("tensorrt", path);
  if (!plugin) return fail(plugin.error().code, fmt::format("{}; the driver has {}", plugin.error().message, describe(found.gpus.front())));
  found.plugin = std::move(*plugin);
  return found;
}

/// The process's one; never destroyed, as the runtime's library is not.
const Result<TensorRt>& tensor_rt() {
  static const Result<TensorRt>* instance = new Result<TensorRt>(start());
  return *instance;
}

BackendInfo info() {
  const auto& found = tensor_rt();
  if (!found) return {.available = false, .version = "", .reason = found.error().message};
  return {.available = true, .version = found->plugin.version, .reason = "", .devices = {{"gpu", describe(found->gpus.front())}}};
}

Result<std::unique_ptr<Session>> open(const TensorRt& tensor_rt, std::string_view onnx, const SessionOptions& options, const Path& folder,
                                      const ort::Options& config) {
  const OrtApi& api = *tensor_rt.plugin.runtime->api;
  return ort::OrtModel::load(*tensor_rt.plugin.runtime, onnx, options, [&](OrtSessionOptions* raw) -> Status {
    for (const auto& [key, value] : config)
      MORU_RETURN_IF_ERROR(ort::take(api, api.AddSessionConfigEntry(raw, key.c_str(), value.c_str()), kWhere, ErrorCode::kInternal));
    // Kernels that were made for this GPU are kept beside the engine.
    return ort::add_plugin(tensor_rt.plugin, {{"nv_runtime_cache_path", (folder / "kernels").string()}}, raw);
  });
}

/// $MORU_HOME/cache/tensorrt/MODEL-VERSION-GPU: an engine fits only what it was made with and for.
Path cache_folder(const TensorRt& tensor_rt, std::string_view onnx) {
  std::string gpu = tensor_rt.gpus.front().name;
  std::ranges::replace_if(gpu, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return moru_home() / "cache" / "tensorrt" / fmt::format("{}-{}-{}", sha256_hex(onnx), kPackageVersion, gpu);
}

/// Makes the engine, which takes seconds to minutes, and keeps it for the next time.
Result<std::unique_ptr<Session>> build(const TensorRt& tensor_rt, std::string_view onnx, const SessionOptions& options,
                                       const Path& folder) {
  MORU_ASSIGN_OR_RETURN(const TempFolder work, TempFolder::create("moru-engine"));
  const Path made = work.path() / "engine.onnx";
  MORU_ASSIGN_OR_RETURN(auto session,
                        open(tensor_rt, onnx, options, folder,
                             {{"ep.context_enable", "1"}, {"ep.context_embed_mode", "1"}, {"ep.context_file_path", made.string()}}));
  // A session without its engine on disk is as right, only slower to load next time.
  constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 30U;
  if (const auto engine = read_file(made, kMaxBytes)) (void)write_file_atomic(folder / "engine.onnx", *engine);
  return session;
}

Result<std::unique_ptr<Session>> load(const ModelBytes& model, const SessionOptions& options) {
  const auto& found = tensor_rt();
  if (!found) return fail(found.error());
  if (!options.device.empty() && options.device != "gpu")
    return fail(ErrorCode::kUnavailable, fmt::format("{}: found no device '{}', expected gpu", kWhere, options.device));
  const Path folder = cache_folder(*found, model.bytes);
  MORU_RETURN_IF_ERROR(make_folders(folder / "kernels"));
  constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 30U;
  if (const auto engine = read_file(folder / "engine.onnx", kMaxBytes)) {
    // An engine that is damaged or that another driver refuses is made again.
    if (auto session = open(*found, *engine, options, folder, {})) return session;
  }
  auto session = build(*found, model.bytes, options, folder);
  if (!session) return fail(session.error().code, fmt::format("{}; on {}", session.error().message, describe(found->gpus.front())));
  return session;
}

constexpr std::string_view kFormats[] = {"onnx"};
constexpr PackageFile kFiles[] = {
    {"onnxruntime_ep_nv_tensorrt_rtx/libonnxruntime_providers_nv_tensorrt_rtx.so", "libonnxruntime_providers_nv_tensorrt_rtx.so"},
    {"onnxruntime_ep_nv_tensorrt_rtx/libcudart.so.12.9.79", "libcudart.so.12"},
    {"onnxruntime_ep_nv_tensorrt_rtx/libtensorrt_rtx.so.1.7.1", "libtensorrt_rtx.so.1"},
    {"onnxruntime_ep_nv_tensorrt_rtx/libtensorrt_onnxparser_rtx.so.1.7.1", "libtensorrt_onnxparser_rtx.so.1"},
};
constexpr PackageSpec kPackages[] = {{.client = "pip",
                                      .name = "onnxruntime-ep-nv-tensorrt-rtx-cu12",
                                      .version = kPackageVersion,
                                      .tag = "py3-none-manylinux_2_28_x86_64",
                                      .sha256 = "d71fcbaf4adc627d82fffa6bbac9300a4bfc58fbfa604929b601d22211083d47",
                                      .files = kFiles,
                                      .size_bytes = 170534401}};

}  // namespace

extern const BackendSpec kBackend_tensorrt;
const BackendSpec kBackend_tensorrt{
    .name = "tensorrt",
    .doc =
        "NVIDIA's TensorRT for RTX through ONNX Runtime: GeForce and RTX GPUs from Turing on; engines are kept, as they take long to make",
    .formats = kFormats,
    .settings = {},
    .packages = kPackages,
    .info = info,
    .load = load,
};

}  // namespace moru::runtime
