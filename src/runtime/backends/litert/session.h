// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "runtime/backends/backend.h"
#include "runtime/backends/litert/delegate.h"
#include "runtime/backends/litert/library.h"
#include "runtime/backends/ports.h"

namespace moru::runtime::litert {

/// What a session is made of. Each needs those above it.
struct Parts {
  std::string bytes;  ///< of the model; LiteRT reads it where it lies
  ExternalDelegate delegate;
  Handle<Environment> environment;
  Handle<LoadedModel> loaded;
  Handle<CompiledModel> compiled;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  bool shapes_follow = false;  ///< shapes_follow_inputs()
};

/// The numbers of LiteRT for a type of ours; null for one that it has not.
const ElementType* element_type(model::DType dtype);

/// A model in LiteRT. Its buffers are made over the caller's memory and kept: a call with the same memory and shapes as the one before
/// makes none. Memory that LiteRT cannot take as it lies is copied through memory of ours.
class LiteRtModel final : public Session {
 public:
  LiteRtModel(const Api& api, Parts parts);

  std::span<const Port> inputs() const override { return parts_.inputs; }
  std::span<const Port> outputs() const override { return parts_.outputs; }
  Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) override;
  /// LiteRT says what the shapes of the outputs are, also where the ports leave them open.
  Result<std::vector<model::Tensor>> run_once(std::span<const model::Tensor> inputs) override;

 private:
  /// A buffer of the library over memory of the caller's, or of ours in its place.
  struct Slot {
    const std::byte* data = nullptr;
    model::Dims dims;
    std::unique_ptr<model::Tensor> ours;
    Handle<TensorBuffer> buffer;
  };
  Status bind(std::size_t index, const Port& port, std::span<const std::int64_t> dims, std::span<const std::byte> bytes, bool usable);
  Result<bool> resize(std::size_t input, std::span<const std::int64_t> dims);
  Status bind_inputs(std::span<const model::ConstTensorView> inputs);
  Status bind_outputs(std::span<const model::TensorView> outputs);
  /// Asks LiteRT for the shapes that outputs will have with the inputs that are bound.
  void plan();
  /// layouts_ against memory for the outputs.
  Status check_outputs(std::span<const model::TensorView> outputs) const;
  Status execute(std::span<const model::TensorView> outputs);
  model::Dims made_dims(std::size_t output) const;

  const Api& api_;
  Parts parts_;
  PortChecker checker_;
  bool open_ = false;        ///< an output has an extent that the ports do not say
  std::vector<Slot> slots_;  ///< inputs, then outputs
  std::vector<TensorBuffer*> buffers_;
  std::vector<Layout> layouts_;  ///< of the outputs, as LiteRT last said
};

}  // namespace moru::runtime::litert
