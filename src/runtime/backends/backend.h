// SPDX-License-Identifier: Apache-2.0
// One interface for everything that can run a model. One folder a backend; CMake makes the table from the folders
// (src/runtime/backends/onnxruntime/backend.cc defines kBackend_onnxruntime). A backend's library is loaded when it
// is first used, so that a program starts without any of them.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "model/tensor/tensor.h"

namespace moru::runtime {

struct BackendInfo {
  bool available = false;
  std::string version;  ///< of the library; empty when not available
  std::string reason;   ///< why it is not available, and what to do
};

struct SessionOptions {
  int threads = 1;
};

/// An input or output of a session. Symbolic extents (a batch) are bound by the tensors given to run().
struct Port {
  std::string name;
  model::DType dtype = model::DType::kFloat32;
  model::SymbolicShape shape;
};

/// A loaded model. Threads: one run() at a time; may move between threads.
class Session {
 public:
  virtual ~Session() = default;
  virtual std::span<const Port> inputs() const = 0;
  virtual std::span<const Port> outputs() const = 0;
  /// One inference. Views are borrowed for the call: the caller owns inputs and outputs, in the order of inputs() and
  /// outputs(). Types and shapes must fit the ports (kInvalidArgument otherwise). The backend writes straight into
  /// the outputs.
  virtual Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) = 0;
};

struct BackendSpec {
  std::string_view name;
  std::string_view doc;
  /// May load the library; the answer is cached by the backend.
  BackendInfo (*info)();
  /// Loads an ONNX model from bytes (borrowed for the call). Errors: kUnavailable (library missing), kUnsupported
  /// (an op it cannot run, in its own words), kCorrupt.
  Result<std::unique_ptr<Session>> (*load)(std::string_view onnx, const SessionOptions& options);
};

std::span<const BackendSpec* const> all_backends();
const BackendSpec* find_backend(std::string_view name);

/// Finds the backend by name and loads; the error for an unknown name lists the known ones.
Result<std::unique_ptr<Session>> load_session(std::string_view backend, std::string_view onnx, const SessionOptions& options = {});

/// Convenience for callers who do not mind allocation: makes the outputs (their symbolic extents bound by the inputs'
/// symbols) and runs.
Result<std::vector<model::Tensor>> run_once(Session& session, std::span<const model::Tensor> inputs);

/// Where a backend's library may lie, best first: each folder of $MORU_BACKEND_PATH, $MORU_HOME/backends/NAME, and
/// ../lib/moru/backends/NAME beside the program. The first existing `file` in them, or kUnavailable with what to do.
Result<std::string> find_backend_library(std::string_view backend, std::string_view file);

}  // namespace moru::runtime
