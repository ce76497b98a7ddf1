// SPDX-License-Identifier: Apache-2.0
// The worker's side: one model on one backend, loaded, run and measured in this process.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "model/tensor/tensor.h"
#include "runtime/backends/backend.h"
#include "runtime/worker/requests.h"

namespace moru::runtime {

/// Loads a model and lets it go. Errors: those of load_session(); kUnavailable where the backend is not.
Status try_model(const LoadRequest& request);

/// Threads: one owner.
class HostedModel {
 public:
  /// Loads the backend's library, then the model, whose time alone is taken. Errors: those of load_session(); kInvalidArgument for a
  /// batch that a model of fixed extents has not.
  static Result<HostedModel> load(const LoadRequest& request);
  const Loaded& loaded() const { return loaded_; }

  /// Makes the outputs' memory and runs until one of the two limits is reached.
  Status warm(const RunRequest& limits);
  /// Wall time of each run, at least one, until one of the limits is reached. warm() must have been called.
  Result<std::vector<TimeNs>> run(const RunRequest& limits);
  /// The outputs to the inputs of another seed.
  Result<std::vector<model::Tensor>> answer(std::uint64_t seed);

 private:
  Result<TimeNs> run_once();
  Result<std::vector<model::Tensor>> inputs_of(std::uint64_t seed) const;

  Loaded loaded_;
  model::DimBinding dims_;
  std::unique_ptr<Session> session_;
  std::vector<model::Tensor> inputs_;
  std::vector<model::Tensor> outputs_;
  std::vector<model::ConstTensorView> input_views_;
  std::vector<model::TensorView> output_views_;
};

}  // namespace moru::runtime
