// SPDX-License-Identifier: Apache-2.0
// What a model on our own engine holds in memory, told without running it: will it fit?
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/result.h"
#include "model/graph/graph.h"
#include "runtime/kernels/isa.h"

namespace moru::runtime::native {

/// Bytes as a session of so many threads allocates them. The plan itself comes on top: its steps and tables, less than 2 KB a step.
struct Need {
  std::size_t steps = 0;
  std::uint64_t weight_bytes = 0;  ///< as they are packed for the kernels; shared by all sessions of the model
  std::uint64_t arena_bytes = 0;   ///< what lies between layers
  std::uint64_t worker_bytes = 0;  ///< of the threads beside the caller, at most: those that no step needs are not started
  std::uint64_t input_bytes = 0;   ///< the caller's memory
  std::uint64_t output_bytes = 0;

  std::uint64_t activation_bytes() const { return arena_bytes + worker_bytes + input_bytes + output_bytes; }
  std::uint64_t total_bytes() const { return weight_bytes + activation_bytes(); }
};

/// Of a graph in ONNX's words with inputs of these extents, on the kernels of `isa`, which this machine must have: weights are packed as
/// they are for running, and let go. Errors: those of loading the model.
Result<Need> need_of(model::Graph graph, std::span<const model::Dims> extents, kernels::Isa isa, int threads);

}  // namespace moru::runtime::native
