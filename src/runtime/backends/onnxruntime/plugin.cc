// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/onnxruntime/plugin.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "runtime/backends/backend.h"

namespace moru::runtime::ort {
namespace {

Result<std::vector<const OrtEpDevice*>> devices_now(const Library& runtime) {
  const OrtEpDevice* const* devices = nullptr;
  std::size_t count = 0;
  MORU_RETURN_IF_ERROR(
      take(*runtime.api, runtime.api22->GetEpDevices(runtime.env, &devices, &count), "list devices", ErrorCode::kUnavailable));
  return std::vector<const OrtEpDevice*>(devices, devices + count);
}

/// Registers it and gives the first device that was not there before: one that the provider answers for.
Result<const OrtEpDevice*> register_device(const Library& runtime, const std::string& name, const Path& path) {
  MORU_ASSIGN_OR_RETURN(const auto before, devices_now(runtime));
  MORU_RETURN_IF_ERROR(take(*runtime.api, runtime.api22->RegisterExecutionProviderLibrary(runtime.env, name.c_str(), path.c_str()),
                            fmt::format("register '{}'", path.string()), ErrorCode::kUnavailable));
  MORU_ASSIGN_OR_RETURN(const auto after, devices_now(runtime));
  for (const OrtEpDevice* device : after) {
    if (std::ranges::find(before, device) == before.end()) return device;
  }
  return fail(ErrorCode::kUnavailable, fmt::format("found no device that '{}' can use, expected one", path.string()));
}

}  // namespace

Result<Plugin> register_plugin(std::string_view backend, const Path& path) {
  const std::string where = fmt::format("backend {}", backend);
  const auto& runtime = library();
  if (!runtime) return fail(ErrorCode::kUnavailable, fmt::format("{}: it runs in ONNX Runtime; {}", where, runtime.error().message));
  if (runtime->api22 == nullptr)
    return fail(ErrorCode::kUnavailable, fmt::format("{}: found ONNX Runtime {}, expected 1.22 or later", where, runtime->version));
  const auto device = register_device(*runtime, std::string(backend), path);
  if (!device) return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", where, device.error().message));
  const char* version = runtime->api22->GetKeyValue(runtime->api22->EpDevice_EpMetadata(*device), "version");
  return Plugin{.runtime = &*runtime,
                .device = *device,
                .folder = path.parent_path(),
                .version = fmt::format("{} in ONNX Runtime {}", version != nullptr ? version : "?", runtime->version)};
}

Status add_plugin(const Plugin& plugin, const Options& provider_options, OrtSessionOptions* options) {
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : provider_options) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  const Library& runtime = *plugin.runtime;
  return take(*runtime.api,
              runtime.api22->SessionOptionsAppendExecutionProvider_V2(options, runtime.env, &plugin.device, 1, keys.data(), values.data(),
                                                                      keys.size()),
              "add provider", ErrorCode::kUnavailable);
}

}  // namespace moru::runtime::ort
