// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/inference/model_file.h"

#include <fmt/format.h>

#include "core/log.h"
#include "model/formats/formats.h"
#include "model/formats/onnx/onnx.h"

namespace moru::edge {
namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{4} << 30U;

/// Levels of one scale for all. Where there is one for each channel nobody here can use them.
std::optional<Levels> levels_of(const model::Graph& graph, const std::vector<model::ValueId>& values) {
  if (values.empty()) return std::nullopt;
  const auto& quantization = graph.value(values.front()).type.quantization;
  if (!quantization || quantization->scales.size() != 1 || quantization->zero_points.size() != 1) return std::nullopt;
  return Levels{quantization->scales[0], quantization->zero_points[0]};
}

}  // namespace

Result<std::unique_ptr<runtime::Session>> load_on_node(std::string_view bytes) {
  auto native = runtime::load_session("native", bytes);
  if (native || native.error().code != ErrorCode::kUnsupported) return native;
  MORU_LOG(kInfo, "the native engine does not run this model, ONNX Runtime will", "reason", native.error().message);
  return runtime::load_session("onnxruntime", bytes);
}

Result<std::shared_ptr<LoadedModel>> load_model_file(const Path& path, std::string_view backend) {
  const std::string where = path.string();
  MORU_ASSIGN_OR_RETURN_IN(where, const model::FileFormat* format, model::format_of(path));
  if (format->words.empty())
    return fail(ErrorCode::kUnsupported, fmt::format("{}: found a model of format {}, expected .onnx or .tflite", where, format->name));
  auto loaded = std::make_shared<LoadedModel>();
  loaded->card.name = path.stem().string();
  std::string bytes;
  if (format->words == "onnx") {
    MORU_ASSIGN_OR_RETURN(bytes, model::read_whole_onnx(path));
  } else {
    MORU_ASSIGN_OR_RETURN(const model::Graph graph, format->load(path, {}));
    loaded->input_levels = levels_of(graph, graph.inputs);
    loaded->output_levels = levels_of(graph, graph.outputs);
    MORU_ASSIGN_OR_RETURN(bytes, read_file(path, kLargestFile));
  }
  auto session = backend == "auto" ? load_on_node(bytes) : runtime::load_session(backend, bytes);
  if (!session) return fail(session.error().in(where));
  loaded->session = std::move(*session);
  return loaded;
}

}  // namespace moru::edge
