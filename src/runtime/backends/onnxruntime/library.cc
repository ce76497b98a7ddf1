// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/onnxruntime/library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <charconv>

#include "core/log.h"
#include "core/text.h"
#include "runtime/backends/backend.h"

namespace moru::runtime::ort {
namespace {

ErrorCode code_of(OrtErrorCode code, ErrorCode fallback) {
  switch (code) {
    case ORT_INVALID_ARGUMENT: return ErrorCode::kInvalidArgument;
    case ORT_INVALID_PROTOBUF: return ErrorCode::kCorrupt;
    case ORT_NOT_IMPLEMENTED:
    case ORT_INVALID_GRAPH: return ErrorCode::kUnsupported;
    default: return fallback;
  }
}

/// The library would print to stderr. What goes wrong in a call comes back as its status, so only what has no call to
/// come back from (fatal) is left to log.
void log_message(void*, OrtLoggingLevel, const char*, const char*, const char* location, const char* message) {
  MORU_LOG(kError, "onnxruntime", "message", message, "location", location);
}

}  // namespace

Status take(const OrtApi& api, OrtStatus* status, std::string_view where, ErrorCode fallback) {
  if (status == nullptr) return {};
  const ErrorCode code = code_of(api.GetErrorCode(status), fallback);
  std::string message = fmt::format("{}: ONNX Runtime says '{}'", where, api.GetErrorMessage(status));
  api.ReleaseStatus(status);
  return fail(code, std::move(message));
}

Result<Library> open_library(const Path& path) {
  const auto unavailable = [&](std::string_view found, std::string_view what_to_do) {
    return fail(ErrorCode::kUnavailable, fmt::format("backend onnxruntime: {} {}, expected ONNX Runtime with C interface {}; {}",
                                                     path.string(), found, ORT_API_VERSION, what_to_do));
  };
  // Local, so that what it brings along cannot take the place of another library's symbols.
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return unavailable(fmt::format("cannot be loaded ({})", why != nullptr ? why : "no reason given"), "get it again for this machine");
  }
  const auto get_base = reinterpret_cast<const OrtApiBase* (*)()>(::dlsym(handle, "OrtGetApiBase"));
  if (get_base == nullptr) return unavailable("is another library (it has no OrtGetApiBase)", "put the right file there");
  const OrtApiBase* base = get_base();
  Library library;
  library.version = base->GetVersionString();
  library.api = base->GetApi(ORT_API_VERSION);
  if (library.api == nullptr) return unavailable(fmt::format("is version {}, too old", library.version), "get a newer one");
  constexpr int kMinor = 22;  // asked for only where it is: the library would print that it has none
  const auto parts = split(library.version, '.');
  int minor = 0;
  if (parts.size() > 1) std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), minor);
  if (parts[0] != "1" || minor >= kMinor) library.api22 = static_cast<const OrtApi22*>(base->GetApi(kMinor));
  MORU_RETURN_IF_ERROR(take(*library.api,
                            library.api->CreateEnvWithCustomLogger(log_message, nullptr, ORT_LOGGING_LEVEL_FATAL, "moru", &library.env),
                            "backend onnxruntime: start", ErrorCode::kUnavailable));
  return library;
}

const Result<Library>& library() {
  // Never destroyed: sessions may live as long as the process.
  static const Result<Library>* instance = new Result<Library>([]() -> Result<Library> {
    MORU_ASSIGN_OR_RETURN(const auto path, find_backend_library("onnxruntime", "libonnxruntime.so"));
    return open_library(path);
  }());
  return *instance;
}

}  // namespace moru::runtime::ort
