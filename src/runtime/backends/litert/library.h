// SPDX-License-Identifier: Apache-2.0
// LiteRT's shared library. This folder alone knows its types.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"
#include "runtime/backends/litert/api.h"

namespace moru::runtime::litert {

/// The one release whose interface api.h declares.
constexpr std::string_view kVersion = "2.1.4";

/// Loads the library at `path`. The library does not tell its version; what it exports does, for it differs from release to release.
/// Nothing is ever unloaded: its threads may outlive any moment we could choose. Errors: kUnavailable.
Result<Api> open_library(const Path& path);

/// The process's library, found by find_backend_library and loaded once; later calls give the same answer.
/// Threads: any.
const Result<Api>& library();

/// Turns a status into ours: "<where>: LiteRT says '<its words>'". `fallback` is the code for failures that it does not classify.
Status take(Code code, std::string_view where, ErrorCode fallback);

/// Owns an object of the library.
template <class T>
struct Release {
  void (*function)(T*) = nullptr;
  void operator()(T* object) const { function(object); }
};
template <class T>
using Handle = std::unique_ptr<T, Release<T>>;

}  // namespace moru::runtime::litert
