// SPDX-License-Identifier: Apache-2.0
// Models as the bytes of a file: which format they are, and the same model in another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {

/// "tflite" for bytes with TFLite's file identifier, else "onnx", whose files have none.
std::string_view format_of_bytes(std::string_view bytes);

/// The verified graph, in the words of its format. Errors: those of the format's reader.
Result<model::Graph> graph_of(const ModelBytes& model);

/// The same model as a file of another format, and its ports, of which that format may not be able to say all.
struct ConvertedBytes {
  std::string bytes;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
};
/// Errors: those of reading, converting and writing; those of ports_of().
Result<ConvertedBytes> converted_bytes(const ModelBytes& model, std::string_view format);

}  // namespace moru::runtime
