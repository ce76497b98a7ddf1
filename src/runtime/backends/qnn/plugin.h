// SPDX-License-Identifier: Apache-2.0
// Qualcomm's provider for ONNX Runtime: a library of its own that is registered with the runtime when it is first used.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "runtime/backends/onnxruntime/library.h"

namespace moru::runtime::qnn {

using Options = std::vector<std::pair<std::string, std::string>>;

struct Plugin {
  const ort::Library* runtime = nullptr;
  const OrtEpDevice* device = nullptr;
  Path folder = {};  ///< where the provider and the backends of Qualcomm's own (libQnnHtp.so) lie
  std::string version = {};
};

/// The process's one, registered once; later calls give the same answer. Errors: kUnavailable. Threads: any.
const Result<Plugin>& plugin();

/// Makes sessions of these options run on Qualcomm's backend in the library `file` of the plugin's folder.
Status add_provider(const Plugin& plugin, std::string_view file, const Options& provider_options, OrtSessionOptions* options);

}  // namespace moru::runtime::qnn
