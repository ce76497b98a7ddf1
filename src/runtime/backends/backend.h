// SPDX-License-Identifier: Apache-2.0
// One interface for everything that can run a model. One folder a backend; CMake makes the table from the folders
// (src/runtime/backends/onnxruntime/backend.cc defines kBackend_onnxruntime). A backend's library is loaded when it
// is first used, so that a program starts without any of them.
#pragma once

#include <cstdint>
#include <map>
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

/// Something that a backend computes on.
struct Device {
  std::string name;  ///< as it is chosen: "cpu", "gpu.0"
  std::string doc;   ///< what it is, in the backend's words
};

struct BackendInfo {
  bool available = false;
  std::string version;               ///< of the library; empty when not available
  std::string reason;                ///< why it is not available, and what to do
  std::vector<Device> devices = {};  ///< found on this machine; the first is the default
};

/// A setting that only one backend has: its name, what it does, and what happens without it.
struct SettingSpec {
  std::string_view name;
  std::string_view doc;
};

/// Where a backend's library comes from: a package of one of the machine's own package clients, pinned.
struct PackageFile {
  std::string_view member;  ///< path inside the archive
  std::string_view file;    ///< path inside the backend's folder
};
struct PackageSpec {
  std::string_view client;  ///< "pip" (a wheel) or "maven" (a jar)
  std::string_view name;    ///< "openvino", "org.bytedeco:tensorrt"
  std::string_view version;
  std::string_view tag;     ///< of a wheel "cp311-cp311-manylinux_2_28_x86_64", of a jar its classifier "linux-x86_64"
  std::string_view sha256;  ///< of the archive
  std::span<const PackageFile> files;
  std::uint64_t size_bytes = 0;  ///< of the archive, to tell how long it still takes; 0: not told
};

struct SessionOptions {
  int threads = 1;
  std::string device = {};                           ///< one of the backend's devices; empty: its default
  std::map<std::string, std::string> settings = {};  ///< of the backend's own
};

/// An input or output of a session. Symbolic extents (a batch) are bound by the tensors given to run().
struct Port {
  std::string name;
  model::DType dtype = model::DType::kFloat32;
  model::SymbolicShape shape;
};

/// What a session holds for as long as it lives, beside what its backend takes for itself.
struct MemoryNeed {
  std::uint64_t weight_bytes = 0;  ///< as the backend keeps them
  std::uint64_t arena_bytes = 0;   ///< for what lies between the layers
};

/// A loaded model. Threads: one call at a time; may move between threads. Nothing here throws, prints, or keeps a caller's memory in
/// use when a call is over.
class Session {
 public:
  virtual ~Session() = default;
  virtual std::span<const Port> inputs() const = 0;
  virtual std::span<const Port> outputs() const = 0;
  /// One inference. Views are borrowed for the call: the caller owns inputs and outputs, in the order of inputs() and
  /// outputs(). Types and shapes must fit the ports (kInvalidArgument otherwise). The backend writes straight into
  /// the outputs.
  virtual Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) = 0;
  /// One inference for callers who do not mind allocation: makes the outputs. Here by the extents that the inputs bind, so that an
  /// output whose shape only the run decides is kUnsupported; a backend that can do better overrides it.
  virtual Result<std::vector<model::Tensor>> run_once(std::span<const model::Tensor> inputs);
  /// The shapes of the outputs for inputs of these shapes. A backend that plans by shape plans now, so that the next run need not. Errors:
  /// kInvalidArgument for shapes that do not fit the ports; kUnsupported for an output whose shape only a run decides.
  virtual Result<std::vector<model::Dims>> prepare(std::span<const model::Dims> inputs);
  /// For the shapes of the last load, prepare() or run(); none where the backend cannot tell.
  virtual std::optional<MemoryNeed> memory() const { return std::nullopt; }
  /// Another session of the same model and options, for another thread, that shares what does not change: weights and plans. Each lives as
  /// long as it likes. kUnsupported where the backend shares nothing: load again.
  virtual Result<std::unique_ptr<Session>> clone() const;
};

/// A model as a file has it: "onnx" or "tflite", borrowed.
struct ModelBytes {
  std::string_view format;
  std::string_view bytes;
};

/// Whether a backend runs a node.
struct NodeSupport {
  bool runs = false;
  std::string reason;  ///< why not, in the backend's words
};

struct BackendSpec {
  std::string_view name;
  std::string_view doc;
  std::span<const std::string_view> formats;  ///< that load() takes; a model of another is converted to the first of them
  std::span<const SettingSpec> settings;
  std::span<const PackageSpec> packages;  ///< that hold its library; none: built in
  /// May load the library; the answer is cached by the backend. What may crash or hang is asked of a worker (runtime/worker) instead.
  BackendInfo (*info)();
  /// Loads a model of one of its formats (borrowed for the call) on a device of its own. Errors: kUnavailable (library or
  /// device missing), kUnsupported (an op it cannot run, in its own words), kCorrupt, kInvalidArgument (a setting's value).
  Result<std::unique_ptr<Session>> (*load)(const ModelBytes& model, const SessionOptions& options);
  /// One answer a node, of a backend that knows without trying, or takes models that it then cannot run. Null: its load() says so.
  /// For callers there is runtime/supports, which answers for every backend.
  std::vector<NodeSupport> (*supports)(const model::Graph& graph) = nullptr;
};

std::span<const BackendSpec* const> all_backends();
const BackendSpec* find_backend(std::string_view name);

/// "NAME" or "NAME:DEVICE" as people write it.
struct BackendChoice {
  const BackendSpec* backend = nullptr;
  std::string device;
};
/// kNotFound for an unknown name, listing the known ones. The device is not looked at.
Result<BackendChoice> choose_backend(std::string_view text);

/// Loads the bytes of an ONNX or TFLite file on a backend ("openvino", "onnxruntime:cuda"), converted first when the backend does not
/// read its format. Errors: those of choose_backend(), of conversion and of load(); kInvalidArgument for threads, an unknown setting,
/// or a device named twice; kUnsupported for ONNX whose tensors lie in other files (model::read_whole_onnx() brings them in).
Result<std::unique_ptr<Session>> load_session(std::string_view backend, std::string_view model, const SessionOptions& options = {});

/// Where a backend's library may lie, best first: each folder of $MORU_BACKEND_PATH, $MORU_HOME/backends/NAME, and
/// ../lib/moru/backends/NAME beside the program. The first existing `file` in them, or kUnavailable with what to do.
Result<std::string> find_backend_library(std::string_view backend, std::string_view file);

}  // namespace moru::runtime
