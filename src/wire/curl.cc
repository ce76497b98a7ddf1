// SPDX-License-Identifier: Apache-2.0
#include "wire/curl.h"

#include <string_view>

#include "core/loaded_library.h"

namespace moru::wire {
namespace {

constexpr const char* kLibrary = "libcurl.so.4";

Result<CurlApi> load() {
  MORU_ASSIGN_OR_RETURN(void* const handle, load_library("HTTP", kLibrary, "libcurl4"));
  CurlApi api;
  std::string_view missing;
#define MORU_CURL_LOOK_UP(name)                                                    \
  api.name = reinterpret_cast<decltype(api.name)>(::dlsym(handle, "curl_" #name)); \
  if (api.name == nullptr) missing = "curl_" #name;
  MORU_CURL_FUNCTIONS(MORU_CURL_LOOK_UP)
#undef MORU_CURL_LOOK_UP
  if (!missing.empty())
    return fail(ErrorCode::kUnavailable, fmt::format("HTTP: {} has no {}, expected release 7.85 or later", kLibrary, missing));
  if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return fail(ErrorCode::kUnavailable, fmt::format("HTTP: {} cannot begin, expected it to", kLibrary));
  return api;
}

}  // namespace

const Result<CurlApi>& curl_library() {
  static const Result<CurlApi>* const kInstance = new Result<CurlApi>(load());  // never destroyed
  return *kInstance;
}

}  // namespace moru::wire
