// SPDX-License-Identifier: Apache-2.0
// A library that answers as a runtime does that is older than the headers of this build: no interface of that number.
#include <onnxruntime_c_api.h>

#include <cstdint>

namespace {
const OrtApi* get_api(std::uint32_t) noexcept { return nullptr; }
const char* get_version() noexcept { return "1.2.3"; }
constexpr OrtApiBase kBase{get_api, get_version};
}  // namespace

// By hand: the header exports only when it is told that it is the runtime itself.
__attribute__((visibility("default"))) const OrtApiBase* ORT_API_CALL OrtGetApiBase() noexcept { return &kBase; }
