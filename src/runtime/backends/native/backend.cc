// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <variant>

#include "model/convert/convert.h"
#include "model/formats/tflite/tflite.h"
#include "runtime/backends/model_bytes.h"
#include "runtime/backends/native/bind.h"
#include "runtime/backends/native/session.h"

namespace moru::runtime {
namespace {

constexpr std::string_view kWhere = "load model";
constexpr std::string_view kTflite = "tflite";
constexpr std::string_view kBind = "bind";
constexpr SettingSpec kSettings[] = {
    {kBind,
     "What open extents are for good: `1` for all of them, `N=4,T=16` for those of these names, `N=4,1` for those and all others. The "
     "session "
     "takes no others then, and does not keep the model to plan it anew: it holds its weights once. Without it each extent is 1 until a "
     "run "
     "or `prepare` says otherwise."},
};
constexpr std::string_view kFormats[] = {"onnx", kTflite};

BackendInfo info() {
  const auto isa = kernels::chosen_isa();
  if (!isa) return {.available = false, .version = "", .reason = isa.error().message};
  return {.available = true,
          .version = "built in",
          .reason = "",
          .devices = {{"cpu", fmt::format("kernels for {}", kernels::to_string(*isa))}}};
}

bool is_open(const model::Graph& graph) {
  return std::ranges::any_of(graph.inputs, [&](model::ValueId id) {
    const auto& shape = graph.value(id).type.shape;
    return !shape || !std::ranges::all_of(*shape, &model::Dim::known);
  });
}

bool has_bodies(const model::Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [](const model::Node& node) {
    return std::ranges::any_of(node.attributes, [](const auto& one) { return std::holds_alternative<model::Subgraph>(one.second); });
  });
}

/// In ONNX's words. From TFLite by its graph and not by the bytes of an ONNX file: those, and what reads them, would be most of the memory
/// that loading takes. Its tensors lie in the caller's bytes meanwhile; those of a graph that is kept, to plan it for other extents, are
/// its own in the end. `bind`: of the setting; without it extents stay open.
Result<model::Graph> onnx_graph_of(const ModelBytes& model, std::optional<std::string_view> bind) {
  if (model.format != kTflite) {
    MORU_ASSIGN_OR_RETURN(model::Graph graph, graph_of(model));
    return bind ? native::bind_extents(graph, *bind) : std::move(graph);
  }
  const std::shared_ptr<const void> callers(model.bytes.data(), [](const void*) {});
  MORU_ASSIGN_OR_RETURN(model::Graph graph, model::read_tflite(model.bytes, kWhere, callers));
  if (has_bodies(graph)) {
    MORU_ASSIGN_OR_RETURN(graph, graph_of(model));
  }
  MORU_ASSIGN_OR_RETURN_IN(kWhere, auto converted, model::to_onnx(std::move(graph)));
  if (bind) {
    MORU_ASSIGN_OR_RETURN_IN(kWhere, converted.graph, native::bind_extents(converted.graph, *bind));
  }
  if (!is_open(converted.graph)) return std::move(converted.graph);
  std::vector<model::ValueId> constants;
  for (const auto& [id, tensor] : converted.graph.initializers()) constants.push_back(id);
  for (const model::ValueId id : constants) converted.graph.set_initializer(id, converted.graph.initializer(id)->clone());
  return std::move(converted.graph);
}

Result<std::unique_ptr<Session>> load(const ModelBytes& model, const SessionOptions& options) {
  if (!options.device.empty() && options.device != "cpu") {
    return fail(ErrorCode::kUnavailable, fmt::format("backend native: found no device '{}', expected cpu", options.device));
  }
  const auto bind = options.settings.find(std::string(kBind));
  MORU_ASSIGN_OR_RETURN(
      auto graph, onnx_graph_of(model, bind == options.settings.end() ? std::nullopt : std::optional(std::string_view(bind->second))));
  return native::NativeModel::load(std::move(graph), options.threads);
}

}  // namespace

extern const BackendSpec kBackend_native;
const BackendSpec kBackend_native{
    .name = "native",
    .doc =
        "Our own engine, for small models: planned when they are loaded, no allocation in a run, levels the same bits on every machine. "
        "Threads come in where a layer takes long enough, and change no result.",
    .formats = kFormats,
    .settings = kSettings,
    .packages = {},
    .info = info,
    .load = load,
};

}  // namespace moru::runtime
