// SPDX-License-Identifier: Apache-2.0
// libcurl, loaded when it is first used: with what it brings along it is 4 MB of a process, and many a node speaks no HTTP.
#pragma once

#include <curl/curl.h>

#include "core/result.h"

namespace moru::wire {

/// The functions used, without their curl_: nothing is linked, so each is looked up by name.
#define MORU_CURL_FUNCTIONS(X) \
  X(global_init)               \
  X(easy_init)                 \
  X(easy_reset)                \
  X(easy_setopt)               \
  X(easy_perform)              \
  X(easy_getinfo)              \
  X(easy_strerror)             \
  X(easy_cleanup)              \
  X(slist_append)              \
  X(slist_free_all)

struct CurlApi {
#define MORU_CURL_MEMBER(name) decltype(&::curl_##name) name = nullptr;
  MORU_CURL_FUNCTIONS(MORU_CURL_MEMBER)
#undef MORU_CURL_MEMBER
};

/// Loaded and begun once, and never unloaded. Errors: kUnavailable. Threads: any.
const Result<CurlApi>& curl_library();
/// The same for who has got something from it.
inline const CurlApi& curl() { return *curl_library(); }

}  // namespace moru::wire
