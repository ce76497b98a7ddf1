// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "runtime/backends/ports.h"
#include "runtime/engine/context.h"

namespace moru::runtime::native {

/// A model on our own engine. It is planned for the extents of its inputs: load() takes 1 for each open one, if the model can have that; a
/// run with others plans anew, which allocates and takes as long as loading. The last few plans are kept (a batch may come in several
/// sizes), and a run with theirs allocates nothing.
class NativeModel final : public Session {
 public:
  /// `graph` in ONNX's words. Errors: kUnsupported with the node's name, and those of chosen_isa().
  static Result<std::unique_ptr<NativeModel>> load(model::Graph graph);

  std::span<const Port> inputs() const override { return inputs_; }
  std::span<const Port> outputs() const override { return outputs_; }
  Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) override;
  Result<std::vector<model::Tensor>> run_once(std::span<const model::Tensor> inputs) override;
  Result<std::vector<model::Dims>> prepare(std::span<const model::Dims> inputs) override;
  std::optional<MemoryNeed> memory() const override;
  /// For what looks inside: the plan of the extents of the last run, with its memory; null before the first where load() could not plan.
  engine::Context* context() { return plans_.empty() ? nullptr : plans_.front().context.get(); }

 private:
  NativeModel(model::Graph graph, kernels::Kernels kernels, std::vector<Port> inputs, std::vector<Port> outputs);
  bool has_open_extents() const;
  bool use_plan(auto same_extents);
  /// Makes it the first of plans_.
  Status plan_for(std::vector<model::Dims> extents);
  Status plan_for(std::span<const model::ConstTensorView> inputs);

  model::Graph graph_;
  kernels::Kernels kernels_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  PortChecker checker_;
  struct Planned {
    std::vector<model::Dims> extents;  ///< of the inputs
    std::vector<model::Dims> output_dims;
    std::unique_ptr<engine::Context> context;
  };
  std::vector<Planned> plans_;  ///< the last one used first
  std::vector<const std::byte*> from_;
  std::vector<std::byte*> to_;
};

}  // namespace moru::runtime::native
