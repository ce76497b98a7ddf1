// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/backend.h"

#include <fmt/format.h>

#include "runtime/backends/model_bytes.h"
#include "runtime/backends/native/session.h"

namespace moru::runtime {
namespace {

BackendInfo info() {
  const auto isa = kernels::chosen_isa();
  if (!isa) return {.available = false, .version = "", .reason = isa.error().message};
  return {.available = true,
          .version = "built in",
          .reason = "",
          .devices = {{"cpu", fmt::format("kernels for {}", kernels::to_string(*isa))}}};
}

Result<std::unique_ptr<Session>> load(const ModelBytes& model, const SessionOptions& options) {
  if (!options.device.empty() && options.device != "cpu") {
    return fail(ErrorCode::kUnavailable, fmt::format("backend native: found no device '{}', expected cpu", options.device));
  }
  MORU_ASSIGN_OR_RETURN(auto graph, graph_of(model));
  return native::NativeModel::load(std::move(graph), options.threads);
}

constexpr std::string_view kFormats[] = {"onnx"};

}  // namespace

extern const BackendSpec kBackend_native;
const BackendSpec kBackend_native{
    .name = "native",
    .doc =
        "Our own engine, for small models: planned when they are loaded, no allocation in a run, levels the same bits on every machine. "
        "Threads come in where a layer takes long enough, and change no result.",
    .formats = kFormats,
    .settings = {},
    .packages = {},
    .info = info,
    .load = load,
};

}  // namespace moru::runtime
