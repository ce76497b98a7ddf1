// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/onnxruntime/providers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/digest.h"
#include "core/files.h"

namespace moru::runtime::ort {
namespace {

constexpr std::string_view kSuffix = "ExecutionProvider";
constexpr std::string_view kWhere = "backend onnxruntime";

/// "CUDAExecutionProvider" as people choose it.
std::string device_name(std::string_view provider) {
  if (provider.ends_with(kSuffix)) provider.remove_suffix(kSuffix.size());
  std::string name(provider);
  std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return name;
}

std::vector<std::string> providers_of(const Library& library) {
  char** names = nullptr;
  int count = 0;
  std::vector<std::string> all;
  if (!take(*library.api, library.api->GetAvailableProviders(&names, &count), kWhere, ErrorCode::kInternal)) return all;
  for (int i = 0; i < count; ++i) all.emplace_back(names[i]);
  (void)take(*library.api, library.api->ReleaseAvailableProviders(names, count), kWhere, ErrorCode::kInternal);
  // It calls a service on the network for custom ops: nothing that a model could be run on.
  std::erase(all, "AzureExecutionProvider");
  return all;
}

/// The two that are added by functions of their own, with options that the library makes.
OrtStatus* add_cuda(const OrtApi& api, OrtSessionOptions* options) {
  OrtCUDAProviderOptionsV2* cuda = nullptr;
  if (OrtStatus* status = api.CreateCUDAProviderOptions(&cuda)) return status;
  OrtStatus* status = api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda);
  api.ReleaseCUDAProviderOptions(cuda);
  return status;
}
OrtStatus* add_tensorrt(const OrtApi& api, const std::string& engines, OrtSessionOptions* options) {
  OrtTensorRTProviderOptionsV2* tensorrt = nullptr;
  if (OrtStatus* status = api.CreateTensorRTProviderOptions(&tensorrt)) return status;
  constexpr std::array kKeys = {"trt_engine_cache_enable", "trt_engine_cache_path"};
  const std::array<const char*, kKeys.size()> values = {"1", engines.c_str()};
  OrtStatus* status = api.UpdateTensorRTProviderOptions(tensorrt, kKeys.data(), values.data(), kKeys.size());
  if (status == nullptr) status = api.SessionOptionsAppendExecutionProvider_TensorRT_V2(options, tensorrt);
  api.ReleaseTensorRTProviderOptions(tensorrt);
  return status;
}

}  // namespace

std::vector<Device> devices_of(const Library& library) {
  std::vector<Device> devices = {{"cpu", "this machine's CPU"}};
  for (const std::string& provider : providers_of(library)) {
    if (std::string name = device_name(provider); name != "cpu") devices.push_back({std::move(name), "ONNX Runtime's " + provider});
  }
  return devices;
}

Status add_provider(const Library& library, std::string_view device, std::string_view onnx, OrtSessionOptions* options) {
  if (device.empty() || device == "cpu") return {};
  const auto providers = providers_of(library);
  const auto provider = std::ranges::find(providers, device, [](const std::string& name) { return device_name(name); });
  if (provider == providers.end()) {
    std::vector<std::string> names;
    for (const Device& known : devices_of(library)) names.push_back(known.name);
    return fail(
        ErrorCode::kUnavailable,
        fmt::format("{}: found no device '{}' in ONNX Runtime {}, expected one of {}; put a library that was built with it into a folder "
                    "and name that in MORU_BACKEND_PATH",
                    kWhere, device, library.version, fmt::join(names, ", ")));
  }
  const OrtApi& api = *library.api;
  OrtStatus* status = nullptr;
  if (device == "tensorrt") {
    const Path engines = moru_home() / "cache" / "onnxruntime-tensorrt" / fmt::format("{}-{}", sha256_hex(onnx), library.version);
    MORU_RETURN_IF_ERROR(make_folders(engines));
    status = add_tensorrt(api, engines.string(), options);
    // The next best for what TensorRT leaves.
    const bool has_cuda = std::ranges::find(providers, "CUDAExecutionProvider") != providers.end();
    if (status == nullptr && has_cuda) status = add_cuda(api, options);
  } else if (device == "cuda") {
    status = add_cuda(api, options);
  } else {
    status = api.SessionOptionsAppendExecutionProvider(options, provider->c_str(), nullptr, nullptr, 0);
  }
  auto added = take(api, status, fmt::format("{}: device '{}'", kWhere, device), ErrorCode::kUnavailable);
  if (added) return added;
  return fail(ErrorCode::kUnavailable, added.error().message);
}

}  // namespace moru::runtime::ort
