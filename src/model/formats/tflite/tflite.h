// SPDX-License-Identifier: Apache-2.0
// TFLite files in and out. A model becomes a graph in TFLite's own words: nodes of the domain "tflite" whose op is the builtin's
// name ("CONV_2D") and whose attributes are its options; see README.md.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

/// Reads an untrusted TFLite model: the layout is verified, then every index, size, rank and enumerator; `where` (the file's
/// name) begins each error. The result is verified and its shapes are inferred, as far as its ops are known.
/// Errors: kCorrupt (not TFLite, damaged), kUnsupported (type, layout), kInvalidArgument (breaks an op's rules).
/// Tensors are copied, or lie where they are in `bytes` when there is an `owner`, whom they keep: the graph lives no longer than the bytes.
Result<Graph> read_tflite(std::string_view bytes, std::string_view where, const std::shared_ptr<const void>& owner = nullptr);
Result<Graph> load_tflite(const Path& path);

/// Writes a model that LiteRT takes; deterministic: the same graph gives the same bytes. Errors: kUnsupported for what the
/// format cannot say, first of all a node that is not of the domains "tflite" and "tflite.custom".
Result<std::string> write_tflite(const Graph& graph);
Status save_tflite(const Graph& graph, const Path& path);

}  // namespace moru::model
