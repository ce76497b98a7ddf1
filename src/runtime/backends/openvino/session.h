// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "runtime/backends/backend.h"
#include "runtime/backends/openvino/library.h"
#include "runtime/backends/openvino/loader.h"
#include "runtime/backends/ports.h"

namespace moru::runtime::openvino {

/// A model in OpenVINO. Tensors of the library are made over the caller's memory and kept: a call with the same
/// buffers and shapes as the one before makes none.
class OpenVinoModel final : public Session {
 public:
  static Result<std::unique_ptr<Session>> load(const Library& library, const ModelBytes& model, const SessionOptions& options);

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
    Handle<ov_tensor_t> tensor;
  };

  OpenVinoModel(const Api& api, Loaded loaded, Handle<ov_infer_request_t> request);
  Result<Handle<ov_tensor_t>> tensor_over(const Port& port, const std::byte* data, std::span<const std::int64_t> dims) const;
  /// True when the slot has a new tensor.
  Result<bool> bind(Slot& slot, const Port& port, const std::byte* data, std::span<const std::int64_t> dims) const;
  Status bind_all(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs);
  Status check_made(std::span<const model::TensorView> outputs) const;
  Result<model::Dims> dims_of(const ov_tensor_t* tensor, const Port& port) const;
  Result<model::Tensor> copy_of(const ov_infer_request_t* request, std::size_t output) const;

  const Api& api_;
  Handle<ov_compiled_model_t> model_;
  Handle<ov_infer_request_t> request_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  PortChecker checker_;
  std::vector<Slot> input_slots_;
  std::vector<Slot> output_slots_;
};

}  // namespace moru::runtime::openvino
