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
  /// `graph` in ONNX's words; `threads` that a run may take, the caller's among them. Errors: kUnsupported with the node's name, and those
  /// of chosen_isa() and Context::make().
  static Result<std::unique_ptr<NativeModel>> load(model::Graph graph, int threads = 1);

  std::span<const Port> inputs() const override { return model_->inputs; }
  std::span<const Port> outputs() const override { return model_->outputs; }
  Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) override;
  Result<std::vector<model::Tensor>> run_once(std::span<const model::Tensor> inputs) override;
  Result<std::vector<model::Dims>> prepare(std::span<const model::Dims> inputs) override;
  std::optional<MemoryNeed> memory() const override;
  /// Shares the weights.
  Result<std::unique_ptr<Session>> clone() const override;
  /// For what looks inside: the plan of the extents of the last run, with its memory; null before the first where load() could not plan.
  engine::Context* context() { return plans_.empty() ? nullptr : plans_.front().context.get(); }

 private:
  /// What sessions of one model share.
  struct Model {
    model::Graph graph;  ///< empty where it is never planned anew
    kernels::Kernels kernels;
    std::vector<Port> inputs;
    std::vector<Port> outputs;
    int threads = 1;
  };
  explicit NativeModel(std::shared_ptr<const Model> model);
  bool use_plan(auto same_extents);
  /// Makes it the first of plans_.
  Status plan_for(std::vector<model::Dims> extents);
  Status plan_for(std::span<const model::ConstTensorView> inputs);

  std::shared_ptr<const Model> model_;
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
