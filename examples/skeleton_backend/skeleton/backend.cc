// SPDX-License-Identifier: Apache-2.0
// A smallest backend: a runtime of somebody else's, in a shared library that is opened when it is first used.
#include "runtime/backends/backend.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <skeleton_runtime.h>

#include <algorithm>
#include <memory>

#include "runtime/backends/model_bytes.h"
#include "runtime/backends/ports.h"

namespace moru::runtime {
namespace {

using model::Tensor;

constexpr std::string_view kWhere = "backend skeleton";

/// The library's functions: nothing is linked, so each is looked up by name.
struct Library {
  decltype(&::skeleton_version) version = nullptr;
  decltype(&::skeleton_last_error) last_error = nullptr;
  decltype(&::skeleton_load) load = nullptr;
  decltype(&::skeleton_free) free = nullptr;
  decltype(&::skeleton_run) run = nullptr;
  decltype(&::skeleton_output) output = nullptr;
};

Result<Library> open_library(const std::string& path) {
  const auto unavailable = [&](std::string_view found, std::string_view what_to_do) {
    return fail(ErrorCode::kUnavailable, fmt::format("{}: {} {}, expected Skeleton 1.x; {}", kWhere, path, found, what_to_do));
  };
  // Local, so that what it brings along cannot take the place of another library's symbols. Never closed: its threads may live on.
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return unavailable(fmt::format("cannot be loaded ({})", ::dlerror()), "get it again for this machine");
  Library library;
  bool all = true;
  const auto look_up = [&]<class Function>(const char* name, Function* function) {
    *function = reinterpret_cast<Function>(::dlsym(handle, name));
    all = all && *function != nullptr;
  };
  look_up("skeleton_version", &library.version);
  look_up("skeleton_last_error", &library.last_error);
  look_up("skeleton_load", &library.load);
  look_up("skeleton_free", &library.free);
  look_up("skeleton_run", &library.run);
  look_up("skeleton_output", &library.output);
  if (!all) return unavailable("is another library", "put the right file there");
  if (!std::string_view(library.version()).starts_with("1.")) {
    return unavailable(fmt::format("is version {}", library.version()), "get that one");
  }
  return library;
}

/// The process's library, opened once; later calls give the same answer.
const Result<Library>& library() {
  // Never destroyed: sessions may live as long as the process.
  static const Result<Library>* instance = new Result<Library>([]() -> Result<Library> {
    MORU_ASSIGN_OR_RETURN(const std::string path, find_backend_library("skeleton", "libskeleton.so"));
    return open_library(path);
  }());
  return *instance;
}

class SkeletonSession final : public Session {
 public:
  using Handle = std::unique_ptr<SkeletonModel, decltype(&::skeleton_free)>;

  SkeletonSession(const Library& library, Handle model, std::vector<Port> inputs, std::vector<Port> outputs)
      : library_(library),
        model_(std::move(model)),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        checker_(inputs_, outputs_) {}

  std::span<const Port> inputs() const override { return inputs_; }
  std::span<const Port> outputs() const override { return outputs_; }

  /// This runtime makes its outputs itself, so they are copied. One that can write to the caller's memory is given it here.
  Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) override {
    MORU_RETURN_IF_ERROR(checker_.check(inputs, outputs));
    MORU_RETURN_IF_ERROR(compute(inputs));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const SkeletonTensor made = library_.output(model_.get(), i);
      const std::span extents(made.extents, made.rank);
      // What only the run decides may be other than the caller's memory.
      if (made.size != outputs[i].bytes.size() || !std::ranges::equal(extents, outputs[i].dims)) {
        return fail(ErrorCode::kInvalidArgument, fmt::format("output '{}': found memory for {}, expected {}", outputs_[i].name,
                                                             model::to_string(outputs[i].dims), model::to_string(extents)));
      }
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) std::ranges::copy(bytes_of(i), outputs[i].bytes.begin());
    return {};
  }

  /// So any shape that the run decides is right.
  Result<std::vector<Tensor>> run_once(std::span<const Tensor> inputs) override {
    std::vector<model::ConstTensorView> views;
    for (const Tensor& input : inputs) views.push_back(input.view());
    MORU_RETURN_IF_ERROR(checker_.check_inputs(views));
    MORU_RETURN_IF_ERROR(compute(views));
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const SkeletonTensor made = library_.output(model_.get(), i);
      MORU_ASSIGN_OR_RETURN(Tensor tensor, Tensor::from_bytes(outputs_[i].dtype, {made.extents, made.extents + made.rank}, bytes_of(i)));
      tensors.push_back(std::move(tensor));
    }
    return tensors;
  }

 private:
  std::span<const std::byte> bytes_of(std::size_t output) const {
    const SkeletonTensor made = library_.output(model_.get(), output);
    return {static_cast<const std::byte*>(made.data), made.size};
  }

  Status compute(std::span<const model::ConstTensorView> inputs) {
    std::vector<SkeletonTensor> tensors;
    for (const auto& input : inputs) tensors.push_back({input.dims.data(), input.dims.size(), input.bytes.data(), input.bytes.size()});
    if (library_.run(model_.get(), tensors.data(), tensors.size()) == 0) return {};
    return fail(ErrorCode::kInvalidArgument, fmt::format("run model: Skeleton says '{}'", library_.last_error()));
  }

  const Library& library_;
  Handle model_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  PortChecker checker_;
};

BackendInfo info() {
  const auto& found = library();
  if (!found) return {.available = false, .version = "", .reason = found.error().message};
  return {.available = true, .version = found->version(), .reason = "", .devices = {{"cpu", "this machine's CPU"}}};
}

Result<std::unique_ptr<Session>> load(const ModelBytes& model, const SessionOptions& options) {
  const auto& found = library();
  if (!found) return fail(found.error());
  if (!options.device.empty() && options.device != "cpu") {
    return fail(ErrorCode::kUnavailable, fmt::format("{}: found no device '{}', expected cpu", kWhere, options.device));
  }
  // Our reader checks each offset, so a damaged file goes no further; and it knows the ports, of which many runtimes forget the symbols.
  MORU_ASSIGN_OR_RETURN(const model::Graph graph, graph_of(model));
  MORU_ASSIGN_OR_RETURN(auto inputs, ports_of(graph, graph.inputs));
  MORU_ASSIGN_OR_RETURN(auto outputs, ports_of(graph, graph.outputs));
  SkeletonSession::Handle made(found->load(model.bytes.data(), model.bytes.size()), found->free);
  if (made == nullptr) return fail(ErrorCode::kUnsupported, fmt::format("load model: Skeleton says '{}'", found->last_error()));
  return std::make_unique<SkeletonSession>(*found, std::move(made), std::move(inputs), std::move(outputs));
}

constexpr std::string_view kFormats[] = {"onnx"};

}  // namespace

extern const BackendSpec kBackend_skeleton;
const BackendSpec kBackend_skeleton{
    .name = "skeleton",
    .doc = "A smallest backend to copy. Its shared library is loaded when it is first used.",
    .formats = kFormats,
    .settings = {},
    .packages = {},
    .info = info,
    .load = load,
};

}  // namespace moru::runtime
