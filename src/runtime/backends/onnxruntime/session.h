// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <vector>

#include "runtime/backends/backend.h"
#include "runtime/backends/onnxruntime/library.h"
#include "runtime/backends/ports.h"

namespace moru::runtime::ort {

/// Says on what a session runs: adds providers to the library's options; nothing added is the CPU.
using AddProviders = std::function<Status(OrtSessionOptions* options)>;

/// A model in ONNX Runtime. Tensors of the library are made over the caller's memory and kept: a call with the same
/// buffers and shapes as the one before makes none.
class OrtModel final : public Session {
 public:
  static Result<std::unique_ptr<Session>> load(const Library& library, std::string_view onnx, const SessionOptions& options,
                                               const AddProviders& add_providers);

  std::span<const Port> inputs() const override { return inputs_; }
  std::span<const Port> outputs() const override { return outputs_; }
  Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) override;
  /// The library makes the outputs, so that any shape is right; they are copied into tensors of ours.
  Result<std::vector<model::Tensor>> run_once(std::span<const model::Tensor> inputs) override;

 private:
  /// A tensor of the library over memory of the caller's.
  struct Slot {
    const std::byte* data = nullptr;
    model::Dims dims;
    Handle<OrtValue> value;
  };

  OrtModel(const OrtApi& api, Handle<OrtSession> session, Handle<OrtMemoryInfo> memory, std::vector<Port> inputs,
           std::vector<Port> outputs);
  Status bind_inputs(std::span<const model::ConstTensorView> inputs);
  Result<model::Tensor> copy_of(OrtValue* value, const Port& port) const;
  Status bind(Slot& slot, const Port& port, const std::byte* data, std::size_t size, std::span<const std::int64_t> dims);

  const OrtApi& api_;
  Handle<OrtSession> session_;
  Handle<OrtMemoryInfo> memory_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  PortChecker checker_;
  std::vector<Slot> slots_;  ///< inputs, then outputs
  std::vector<const char*> names_;
  std::vector<OrtValue*> values_;  ///< of slots_, as the library wants them
};

}  // namespace moru::runtime::ort
