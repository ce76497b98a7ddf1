// SPDX-License-Identifier: Apache-2.0
// ONNX files in and out.
#pragma once

#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

/// Reads an untrusted ONNX model: every size, index and type is checked; `where` (the file's name) begins each error.
/// Constant nodes become initializers. The result is verified and its shapes are inferred.
/// Errors: kCorrupt (not ONNX, damaged), kUnsupported (opset, op, type), kInvalidArgument (breaks an op's schema).
Result<Graph> read_onnx(std::string_view bytes, std::string_view where);
Result<Graph> load_onnx(const Path& path);

/// Reads an untrusted ONNX tensor (a .pb file, as ONNX's test data come). Errors: kCorrupt, kUnsupported (type).
Result<Tensor> read_onnx_tensor(std::string_view bytes, std::string_view where);

/// Writes a model that onnx.checker accepts; deterministic: the same graph gives the same bytes.
Result<std::string> write_onnx(const Graph& graph);
Status save_onnx(const Graph& graph, const Path& path);

}  // namespace moru::model
