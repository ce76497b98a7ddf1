// SPDX-License-Identifier: Apache-2.0
// Providers that are libraries of their own, registered with ONNX Runtime when they are first used: how makers of accelerators
// bring theirs since 1.22.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "runtime/backends/onnxruntime/library.h"

namespace moru::runtime::ort {

struct Plugin {
  const Library* runtime = nullptr;
  const OrtEpDevice* device = nullptr;
  Path folder = {};  ///< where the provider lies, and what it loads
  std::string version = {};
};
using Options = std::vector<std::pair<std::string, std::string>>;

/// Registers the provider in the library `path` for the backend of that name. Once a process: the caller keeps the answer.
/// Errors: kUnavailable.
Result<Plugin> register_plugin(std::string_view backend, const Path& path);

/// Makes sessions of these options run on the plugin; `provider_options` are its own. Errors: kUnavailable.
Status add_plugin(const Plugin& plugin, const Options& provider_options, OrtSessionOptions* options);

}  // namespace moru::runtime::ort
