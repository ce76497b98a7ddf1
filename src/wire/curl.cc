// SPDX-License-Identifier: Apache-2.0
#include "wire/curl.h"

#include "core/loaded_library.h"

namespace moru::wire {
namespace {

constexpr const char* kLibrary = "libcurl.so.4";

Result<CurlApi> load() {
  MORU_ASSIGN_OR_RETURN(auto library, LoadedLibrary::open("HTTP", kLibrary, "libcurl4"));
  CurlApi api;
#define MORU_CURL_LOOK_UP(name) library.find("curl_" #name, api.name);
  MORU_CURL_FUNCTIONS(MORU_CURL_LOOK_UP)
#undef MORU_CURL_LOOK_UP
  MORU_RETURN_IF_ERROR(library.has_all("release 7.85 or later"));
  if (api.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return fail(ErrorCode::kUnavailable, fmt::format("HTTP: {} cannot begin, expected it to", kLibrary));
  return api;
}

}  // namespace

const Result<CurlApi>& curl_library() {
  static const Result<CurlApi>* const instance = new Result<CurlApi>(load());  // never destroyed
  return *instance;
}

}  // namespace moru::wire
