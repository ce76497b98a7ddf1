// SPDX-License-Identifier: Apache-2.0
#include "model/formats/formats.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/tflite/tflite.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

Result<Graph> load_from_onnx(const Path& path, const LoadOptions& options) {
  MORU_ASSIGN_OR_RETURN_IN("read", Graph graph, load_onnx(path, {.max_memory_bytes = options.max_memory_bytes}));
  return graph;
}

Status save_as_onnx(const Graph& graph, const Path& path, const SaveOptions& options) {
  return save_onnx(graph, path, {.opset = options.opset});
}

Result<Graph> load_from_tflite(const Path& path, const LoadOptions& options) {
  // What a file takes: its bytes, the tensors, and what sparse tensors unfold to, which the reader limits by itself.
  constexpr std::uint64_t kPerByte = 2;
  MORU_ASSIGN_OR_RETURN_IN("read", const std::string bytes, read_file(path, options.max_memory_bytes / kPerByte));
  return read_tflite(bytes, "read " + in_quotes(path.string()));
}

Status save_as_tflite(const Graph& graph, const Path& path, const SaveOptions& options) {
  if (options.opset) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("write {}: found opset {} asked for, expected none: TFLite has no opsets",
                                                         in_quotes(path.string()), *options.opset));
  }
  return save_tflite(graph, path);
}

Result<Graph> load_text(const Path& path, const LoadOptions& options) {
  const auto where = "read " + in_quotes(path.string());
  // A number takes at most 8 bytes of memory and 2 of text, beside the text.
  constexpr std::uint64_t kPerByte = 5;
  MORU_ASSIGN_OR_RETURN(const std::string text, read_file(path, options.max_memory_bytes / kPerByte));
  MORU_ASSIGN_OR_RETURN_IN(where, Graph graph, parse_text(text));
  MORU_RETURN_IF_ERROR_IN(where, infer_shapes(graph));
  return graph;
}

Status save_text(const Graph& graph, const Path& path, const SaveOptions& options) {
  if (options.opset && *options.opset != graph.opset) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("write {}: found opset {} asked for, expected {}, the graph's: text is written as the graph is",
                            in_quotes(path.string()), *options.opset, graph.opset));
  }
  return write_file_atomic(path, to_text(graph));
}

constexpr FileFormat kFormats[] = {
    {"onnx", ".onnx", "ONNX", "onnx", load_from_onnx, save_as_onnx},
    {"tflite", ".tflite", "TensorFlow Lite", "tflite", load_from_tflite, save_as_tflite},
    {"text", ".graph", "the graph's text form, which people can read and change", "", load_text, save_text},
};

}  // namespace

std::span<const FileFormat> file_formats() { return kFormats; }

std::string_view words_of(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [](const Node& node) { return node.domain.starts_with("tflite"); }) ? "tflite" : "onnx";
}

Result<const FileFormat*> format_of(const Path& path) {
  std::string suffix = path.extension().string();
  for (char& c : suffix) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  std::string known;
  for (const FileFormat& format : kFormats) {
    if (format.suffix == suffix) return &format;
    known += (known.empty() ? "" : ", ") + std::string(format.suffix);
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: found {}, expected a model file that ends in one of {}", in_quotes(path.string()),
                          suffix.empty() ? "no suffix" : "the suffix " + in_quotes(suffix), known));
}

Result<Graph> load_model(const Path& path, const LoadOptions& options) {
  MORU_ASSIGN_OR_RETURN(const FileFormat* format, format_of(path));
  return format->load(path, options);
}

Status save_model(const Graph& graph, const Path& path, const SaveOptions& options) {
  MORU_ASSIGN_OR_RETURN(const FileFormat* format, format_of(path));
  return format->save(graph, path, options);
}

}  // namespace moru::model
