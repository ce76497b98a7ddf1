// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>
#include <fmt/format.h>

#include <string_view>

#include "core/result.h"

namespace moru {

/// A library of the system, whose functions are looked up by their names: nothing is linked. Never unloaded: its threads may outlive any
/// moment we could choose. Local, so that what it brings along cannot take the place of another library's symbols.
class LoadedLibrary {
 public:
  /// `where` is what people call it, `package` Debian's. Both and `name` are borrowed. Errors: kUnavailable.
  static Result<LoadedLibrary> open(std::string_view where, const char* name, std::string_view package) {
    void* const handle = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) return LoadedLibrary(where, name, handle);
    const char* const why = ::dlerror();
    return fail(ErrorCode::kUnavailable, fmt::format("{}: {} cannot be loaded ({}), expected it on this machine; install the package {}",
                                                     where, name, why != nullptr ? why : "no reason given", package));
  }
  /// Null where it has no such function.
  template <class Function>
  void find(const char* symbol, Function*& function) {
    function = reinterpret_cast<Function*>(::dlsym(handle_, symbol));
    if (function == nullptr) missing_ = symbol;
  }
  /// That it had all that were looked for; `expected` is what does. Errors: kUnavailable.
  Status has_all(std::string_view expected) const {
    if (missing_.empty()) return {};
    return fail(ErrorCode::kUnavailable, fmt::format("{}: {} has no {}, expected {}", where_, name_, missing_, expected));
  }

 private:
  LoadedLibrary(std::string_view where, const char* name, void* handle) : where_(where), name_(name), handle_(handle) {}
  std::string_view where_;
  const char* name_;
  void* handle_;
  std::string_view missing_;
};

}  // namespace moru
