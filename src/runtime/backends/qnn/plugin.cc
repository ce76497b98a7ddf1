// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/qnn/plugin.h"

#include <fmt/format.h>

#include "runtime/backends/backend.h"

namespace moru::runtime::qnn {
namespace {

constexpr std::string_view kWhere = "backend qnn";
constexpr const char* kName = "qnn";  // under which it is registered; the runtime names its devices so

/// The first device of the provider: one that it has registered itself for, which on x86 stands for the simulator.
Result<const OrtEpDevice*> find_device(const ort::Library& runtime) {
  const OrtEpDevice* const* devices = nullptr;
  std::size_t count = 0;
  MORU_RETURN_IF_ERROR(
      ort::take(*runtime.api, runtime.api22->GetEpDevices(runtime.env, &devices, &count), kWhere, ErrorCode::kUnavailable));
  for (std::size_t i = 0; i < count; ++i) {
    if (std::string_view(runtime.api22->EpDevice_EpName(devices[i])) == kName) return devices[i];
  }
  return fail(ErrorCode::kUnavailable, fmt::format("{}: found no device of Qualcomm's provider, expected one", kWhere));
}

Result<Plugin> register_plugin() {
  // The provider first: without it nothing else needs to be loaded.
  MORU_ASSIGN_OR_RETURN(const Path path, find_backend_library("qnn", "onnxruntime_qnn/libonnxruntime_providers_qnn.so"));
  const auto& runtime = ort::library();
  if (!runtime) return fail(ErrorCode::kUnavailable, fmt::format("{}: it runs in ONNX Runtime; {}", kWhere, runtime.error().message));
  if (runtime->api22 == nullptr)
    return fail(ErrorCode::kUnavailable, fmt::format("{}: found ONNX Runtime {}, expected 1.22 or later", kWhere, runtime->version));
  const auto registered = ort::take(*runtime->api, runtime->api22->RegisterExecutionProviderLibrary(runtime->env, kName, path.c_str()),
                                    fmt::format("{}: register '{}'", kWhere, path.string()), ErrorCode::kUnavailable);
  if (!registered) return fail(ErrorCode::kUnavailable, registered.error().message);
  Plugin plugin{.runtime = &*runtime, .folder = path.parent_path()};
  MORU_ASSIGN_OR_RETURN(plugin.device, find_device(*runtime));
  const char* version = runtime->api22->GetKeyValue(runtime->api22->EpDevice_EpMetadata(plugin.device), "version");
  plugin.version = fmt::format("{} in ONNX Runtime {}", version != nullptr ? version : "?", runtime->version);
  return plugin;
}

}  // namespace

const Result<Plugin>& plugin() {
  // Never destroyed, as the runtime's library is not.
  static const Result<Plugin>* instance = new Result<Plugin>(register_plugin());
  return *instance;
}

Status add_provider(const Plugin& plugin, std::string_view file, const Options& provider_options, OrtSessionOptions* options) {
  const std::string backend = (plugin.folder / file).string();
  std::vector<const char*> keys = {"backend_path"};
  std::vector<const char*> values = {backend.c_str()};
  for (const auto& [key, value] : provider_options) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  const ort::Library& runtime = *plugin.runtime;
  return ort::take(*runtime.api,
                   runtime.api22->SessionOptionsAppendExecutionProvider_V2(options, runtime.env, &plugin.device, 1, keys.data(),
                                                                           values.data(), keys.size()),
                   kWhere, ErrorCode::kUnavailable);
}

}  // namespace moru::runtime::qnn
