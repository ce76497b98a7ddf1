// SPDX-License-Identifier: Apache-2.0
// What version 1.22 appended to ONNX Runtime's C interface for providers that are libraries of their own. Set-up's header is Debian
// 13's, which ends at 21, and no stable Debian release has a later one (unstable's moves on, so that it cannot be pinned). The
// interface is a struct of function pointers that only ever grows at its end: the order of its members is its ABI, which a library
// keeps for every caller that asks it for interface 22. So the few members needed are declared here at their places behind those of
// 21; names and places were compared with the header of 1.23.2. A set-up with a later header uses that one instead.
#pragma once

#include <onnxruntime_c_api.h>

#include <cstdint>

#if ORT_API_VERSION >= 22

namespace moru::runtime::ort {
using OrtApi22 = OrtApi;
}

#else

struct OrtEpDevice;
struct OrtKeyValuePairs;

namespace moru::runtime::ort {

// NOLINTBEGIN(readability-identifier-naming): the names are ONNX Runtime's
struct OrtApi22 : OrtApi {
  using Unused = void (*)();
  Unused graphs[10];     ///< ReleaseValueInfo to GetCompileApi
  Unused key_values[2];  ///< CreateKeyValuePairs, AddKeyValuePair
  const char*(ORT_API_CALL* GetKeyValue)(const OrtKeyValuePairs* pairs, const char* key);
  Unused more_key_values[3];  ///< GetKeyValuePairs, RemoveKeyValuePair, ReleaseKeyValuePairs
  ORT_API2_STATUS(RegisterExecutionProviderLibrary, OrtEnv* env, const char* registration_name, const ORTCHAR_T* path);
  Unused unregister;  ///< UnregisterExecutionProviderLibrary
  ORT_API2_STATUS(GetEpDevices, const OrtEnv* env, const OrtEpDevice* const** devices, std::size_t* count);
  ORT_API2_STATUS(SessionOptionsAppendExecutionProvider_V2, OrtSessionOptions* options, OrtEnv* env, const OrtEpDevice* const* devices,
                  std::size_t count, const char* const* keys, const char* const* values, std::size_t option_count);
  Unused selection[2];  ///< SessionOptionsSetEpSelectionPolicy, SessionOptionsSetEpSelectionPolicyDelegate
  Unused hardware[5];   ///< HardwareDevice_Type to HardwareDevice_Metadata
  const char*(ORT_API_CALL* EpDevice_EpName)(const OrtEpDevice* device);
  Unused vendor;  ///< EpDevice_EpVendor
  const OrtKeyValuePairs*(ORT_API_CALL* EpDevice_EpMetadata)(const OrtEpDevice* device);
};
// NOLINTEND(readability-identifier-naming)
// Nothing of the base may move, and nothing may lie between it and what is appended.
static_assert(sizeof(OrtApi22) == sizeof(OrtApi) + 30 * sizeof(OrtApi22::Unused));

}  // namespace moru::runtime::ort

#endif
