// SPDX-License-Identifier: Apache-2.0
// Models in files of any format that we have, by suffix. The table in formats.cc is the one place that names the formats.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/files.h"
#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

struct LoadOptions {
  std::uint64_t max_memory_bytes = std::uint64_t{4} << 30U;  ///< what reading may allocate; kResourceExhausted above
};

struct SaveOptions {
  std::optional<std::int64_t> opset;  ///< of a format that has opsets; the graph's own when left out
};

struct FileFormat {
  std::string_view name;    ///< "onnx"
  std::string_view suffix;  ///< ".onnx"
  std::string_view doc;
  std::string_view words;  ///< whose ops its graphs are made of: "onnx", "tflite", or "" for any
  /// The graph is verified and its shapes are inferred.
  Result<Graph> (*load)(const Path& path, const LoadOptions& options);
  Status (*save)(const Graph& graph, const Path& path, const SaveOptions& options);
};

std::span<const FileFormat> file_formats();
/// "tflite" when the graph's nodes are TFLite's, else "onnx". A file format of other words needs model/convert first.
std::string_view words_of(const Graph& graph);
/// By suffix, in any case of letters. kInvalidArgument naming the known ones.
Result<const FileFormat*> format_of(const Path& path);

/// Reads an untrusted model. Errors: those of the format, kNotFound, kInvalidArgument (suffix).
Result<Graph> load_model(const Path& path, const LoadOptions& options = {});
/// Writes the whole file or leaves the old one. Errors: those of the format.
Status save_model(const Graph& graph, const Path& path, const SaveOptions& options = {});

}  // namespace moru::model
