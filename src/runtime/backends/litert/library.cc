// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/litert/library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include "runtime/backends/backend.h"
#include "runtime/backends/litert/words.h"

namespace moru::runtime::litert {
namespace {

/// In all releases so far.
constexpr const char* kAnyRelease = "LiteRtCreateEnvironment";
/// New in 2.1.4, and gone in 2.1.5: only 2.1.4 exports both.
constexpr const char* kSince = "LiteRtGetCustomEvent";
constexpr const char* kUntil = "LiteRtIsSameLayout";
constexpr const char* kCpuAccelerator = "LiteRtStaticLinkedAcceleratorCpuDef";

struct Meaning {
  Code code;
  ErrorCode ours;
  std::string_view text;
};
/// What its statuses mean, for the times when it prints nothing. kInternal stands for the fallback.
constexpr Meaning kMeanings[] = {
    {Code::kInvalidArgument, ErrorCode::kInternal, "invalid argument"},
    {Code::kMemoryAllocationFailure, ErrorCode::kResourceExhausted, "memory allocation failure"},
    {Code::kRuntimeFailure, ErrorCode::kInternal, "runtime failure"},
    {Code::kMissingInputTensor, ErrorCode::kInternal, "missing input tensor"},
    {Code::kUnsupported, ErrorCode::kUnsupported, "unsupported"},
    {Code::kNotFound, ErrorCode::kInternal, "not found"},
    {Code::kUnknown, ErrorCode::kInternal, "unknown error"},
    {Code::kFileIO, ErrorCode::kInternal, "file error"},
    {Code::kInvalidFlatbuffer, ErrorCode::kCorrupt, "invalid flatbuffer"},
    {Code::kCompilation, ErrorCode::kUnsupported, "compilation error"},
    {Code::kIndexOOB, ErrorCode::kInternal, "index out of bounds"},
    {Code::kInvalidIrType, ErrorCode::kUnsupported, "invalid type"},
    {Code::kInvalidGraphInvariant, ErrorCode::kUnsupported, "invalid graph"},
};

}  // namespace

Status take(Code code, std::string_view where, ErrorCode fallback) {
  if (code == Code::kOk) return {};
  std::string words = take_words();
  for (const Meaning& meaning : kMeanings) {
    if (meaning.code != code) continue;
    return fail(meaning.ours == ErrorCode::kInternal ? fallback : meaning.ours,
                fmt::format("{}: LiteRT says '{}'", where, words.empty() ? meaning.text : words));
  }
  return fail(fallback,
              fmt::format("{}: LiteRT says '{}'", where, words.empty() ? fmt::format("status {}", static_cast<int>(code)) : words));
}

Result<Api> open_library(const Path& path) {
  const auto unavailable = [&](std::string_view found, std::string_view what_to_do) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("backend litert: {} {}, expected LiteRT {}; {}", path.string(), found, kVersion, what_to_do));
  };
  // Local, so that what it brings along cannot take the place of another library's symbols.
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return unavailable(fmt::format("cannot be loaded ({})", why != nullptr ? why : "no reason given"), "get it again for this machine");
  }
  const auto has = [handle](const char* symbol) { return ::dlsym(handle, symbol) != nullptr; };
  if (!has(kAnyRelease)) return unavailable(fmt::format("is another library (it has no {})", kAnyRelease), "put the right file there");
  if (!has(kSince)) return unavailable(fmt::format("is too old (it has no {})", kSince), "get that version");
  if (!has(kUntil)) return unavailable(fmt::format("is too new (it has no {})", kUntil), "get that version");
  Api api;
#define MORU_LITERT_LOOK_UP(name, symbol, result, parameters)               \
  api.name = reinterpret_cast<decltype(api.name)>(::dlsym(handle, symbol)); \
  if (api.name == nullptr) return unavailable("has no " symbol, "get it again");
  MORU_LITERT_FUNCTIONS(MORU_LITERT_LOOK_UP)
#undef MORU_LITERT_LOOK_UP
  const auto* cpu = static_cast<const AcceleratorDef* const*>(::dlsym(handle, kCpuAccelerator));
  if (cpu == nullptr || *cpu == nullptr || (*cpu)->version != kAcceleratorDefVersion) {
    return unavailable(fmt::format("has no {} of version {}", kCpuAccelerator, kAcceleratorDefVersion), "get it again");
  }
  api.cpu = *cpu;
  MORU_RETURN_IF_ERROR(keep_words(handle));
  return api;
}

const Result<Api>& library() {
  // Never destroyed: sessions may live as long as the process.
  static const Result<Api>* instance = new Result<Api>([]() -> Result<Api> {
    MORU_ASSIGN_OR_RETURN(const auto path, find_backend_library("litert", "libLiteRt.so"));
    return open_library(path);
  }());
  return *instance;
}

}  // namespace moru::runtime::litert
