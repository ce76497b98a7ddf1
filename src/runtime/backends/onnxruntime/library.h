// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime's shared library and its C interface. This folder alone knows its types.
#pragma once

#include <onnxruntime_c_api.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"
#include "runtime/backends/onnxruntime/api22.h"

namespace moru::runtime::ort {

struct Library {
  const OrtApi* api = nullptr;
  const OrtApi22* api22 = nullptr;  ///< the same with what 1.22 appended; null in an older library
  OrtEnv* env = nullptr;
  std::string version;
};

/// Loads the library at `path` and asks it for the interface that this build was made for. Nothing is ever unloaded:
/// its threads may outlive any moment we could choose. Errors: kUnavailable.
Result<Library> open_library(const Path& path);

/// The process's library, found by find_backend_library and loaded once; later calls give the same answer.
/// Threads: any.
const Result<Library>& library();

/// Takes ownership of a status and turns it into ours: "<where>: ONNX Runtime says '<its words>'". `fallback` is the
/// code for failures that it does not classify.
Status take(const OrtApi& api, OrtStatus* status, std::string_view where, ErrorCode fallback);

/// Owns an object of the library.
template <class T>
struct Release {
  void (*function)(T*) = nullptr;
  void operator()(T* object) const { function(object); }
};
template <class T>
using Handle = std::unique_ptr<T, Release<T>>;

}  // namespace moru::runtime::ort
