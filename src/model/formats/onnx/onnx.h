// SPDX-License-Identifier: Apache-2.0
// ONNX files in and out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

struct ReadOptions {
  /// What reading may allocate, by an estimate that is rather too high; kResourceExhausted above it. Payloads of a mapped file
  /// are not counted: they are the file's pages.
  std::uint64_t max_memory_bytes = std::uint64_t{4} << 30U;
};

/// Reads an untrusted ONNX model: every size, index and type is checked; `where` (the file's name) begins each error.
/// Constant nodes become initializers, calls of functions are replaced by what the functions do, and each op is brought to the
/// meaning of kNewestOpset. The result is verified and its shapes are inferred.
/// Errors: kCorrupt (not ONNX, damaged), kUnsupported (opset, op, type), kInvalidArgument (breaks an op's schema),
/// kResourceExhausted (max_memory_bytes).
Result<Graph> read_onnx(std::string_view bytes, std::string_view where, const ReadOptions& options = {});

/// The same of a file, which is mapped: its tensors lie where they are in the file, and stay there as long as one of them lives. So
/// the file may be replaced (by rename) but not cut short. Tensors in other files of the model's folder are mapped, too.
Result<Graph> load_onnx(const Path& path, const ReadOptions& options = {});

/// For programs that take a model as bytes: those of an ONNX file with what its tensors have in other files of its folder brought in, and
/// nothing else changed; as they are when nothing lies elsewhere. Errors: those of reading, as far as they concern files; kUnsupported for
/// more than protobuf takes.
Result<std::string> read_whole_onnx(const Path& path, const ReadOptions& options = {});
/// kUnsupported, naming the file, when a tensor lies in another file. What cannot be read is fine here. Cost: one walk over all that is
/// no payload.
Status check_whole_onnx(std::string_view bytes);

/// Reads an untrusted ONNX tensor (a .pb file, as ONNX's test data come). Errors: kCorrupt, kUnsupported (type).
Result<Tensor> read_onnx_tensor(std::string_view bytes, std::string_view where);

struct WriteOptions {
  std::optional<std::int64_t> opset = std::nullopt;  ///< kOldestWritten to kNewestOpset; the graph's own when left out
  /// save_onnx() only: initializers of at least so many bytes go into a file beside the model, NAME.data; none when left out,
  /// unless the model would be larger than protobuf takes.
  std::optional<std::uint64_t> external_bytes = std::nullopt;
};

/// Writes a model that onnx.checker accepts; deterministic: the same graph gives the same bytes. Errors: kUnsupported (an opset out of
/// range or that cannot say what the graph does, 2 GiB and more), kInvalidArgument (a graph that verify() refuses).
Result<std::string> write_onnx(const Graph& graph, const WriteOptions& options = {});
Status save_onnx(const Graph& graph, const Path& path, const WriteOptions& options = {});

}  // namespace moru::model
