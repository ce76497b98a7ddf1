// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "runtime/backends/ports.h"

namespace moru::runtime {

/// A session of a converted model, seen with the ports of the model as it was: formats differ in what they can say of shapes (TFLite
/// has no names for extents). What the ports say holds: extents of one name must be equal.
class ConvertedModel final : public Session {
 public:
  /// Errors: kUnsupported for ports of other counts, types or ranks.
  static Result<std::unique_ptr<Session>> create(std::unique_ptr<Session> session, std::vector<Port> inputs, std::vector<Port> outputs);

  std::span<const Port> inputs() const override { return inputs_; }
  std::span<const Port> outputs() const override { return outputs_; }
  Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) override;
  Result<std::vector<model::Tensor>> run_once(std::span<const model::Tensor> inputs) override;
  Result<std::vector<model::Dims>> prepare(std::span<const model::Dims> inputs) override;
  std::optional<MemoryNeed> memory() const override { return session_->memory(); }
  Result<std::unique_ptr<Session>> clone() const override;

 private:
  ConvertedModel(std::unique_ptr<Session> session, std::vector<Port> inputs, std::vector<Port> outputs);
  std::unique_ptr<Session> session_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  PortChecker checker_;
};

}  // namespace moru::runtime
