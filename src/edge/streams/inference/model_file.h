// SPDX-License-Identifier: Apache-2.0
// A model straight from a file, for a stream that needs no agent.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"
#include "edge/streams/stages/infer.h"
#include "runtime/backends/backend.h"

namespace moru::edge {

/// Whether a stage's option `model` names a file. The name of a slot has no dot and no slash.
inline bool is_model_file(std::string_view model) { return model.find_first_of("./") != std::string_view::npos; }

/// What nodes run models on: our own engine, or ONNX Runtime where a model has an op that the engine does not have.
Result<std::unique_ptr<runtime::Session>> load_on_node(std::string_view bytes);

/// Reads an ONNX or TFLite file and loads it on a backend; "auto" is load_on_node(). Of a TFLite model's integers it knows what they stand
/// for. Errors: those of reading and loading, with the file's name; kUnsupported for other formats.
Result<std::shared_ptr<LoadedModel>> load_model_file(const Path& path, std::string_view backend);

}  // namespace moru::edge
