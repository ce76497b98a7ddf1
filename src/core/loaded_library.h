// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>
#include <fmt/format.h>

#include <string_view>

#include "core/result.h"

namespace moru {

/// Opens a library of the system by its name. Never unloaded: its threads may outlive any moment we could choose. Local, so that what it
/// brings along cannot take the place of another library's symbols. Errors: kUnavailable. `package`: Debian's.
inline Result<void*> load_library(std::string_view where, const char* name, std::string_view package) {
  void* const handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return handle;
  const char* const why = ::dlerror();
  return fail(ErrorCode::kUnavailable, fmt::format("{}: {} cannot be loaded ({}), expected it on this machine; install the package {}",
                                                   where, name, why != nullptr ? why : "no reason given", package));
}

}  // namespace moru
