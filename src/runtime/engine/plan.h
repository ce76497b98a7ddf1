// SPDX-License-Identifier: Apache-2.0
// A model made ready to run: the steps, their weights, and how much memory a run needs.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "runtime/engine/step.h"
#include "runtime/kernels/kernels.h"

namespace moru::runtime::engine {

/// Memory that a plan or a context owns: aligned to kAlignment.
using AlignedBytes = std::unique_ptr<std::byte, void (*)(void*)>;
/// Zeroed; never null (kResourceExhausted when there is none).
Result<AlignedBytes> allocate_aligned(std::size_t bytes);
/// What that takes, with what kernels may read behind the end.
std::size_t aligned_size(std::size_t bytes);

/// A buffer of the plan: in the arena, there or in a worker's own memory, at a place that never changes (weights), or the caller's.
struct Buffer {
  enum class Kind : std::uint8_t { kArena, kScratch, kConstant, kInput, kOutput };
  Kind kind = Kind::kArena;
  std::size_t bytes = 0;          ///< with the slack behind it, where it is in the arena
  std::size_t offset = 0;         ///< in the arena
  std::size_t worker_offset = 0;  ///< of kScratch, in the memory of a worker that is not the caller
  std::byte* constant = nullptr;  ///< of kConstant
  int port = 0;                   ///< of kInput and kOutput
};

/// Bytes of values that a step cannot do without: each counted once, however often a kernel comes back to it.
struct Traffic {
  std::size_t read = 0;
  std::size_t written = 0;
};

/// What has to be done in a step, whatever the kernel: what limits are made of.
struct StepWork {
  std::string ops;               ///< "Conv+Relu": the node's and those it takes over; "layout", "input", "output" where values only move
  std::int64_t macs = 0;         ///< multiply-accumulates that the model needs, not those of padding
  bool on_levels = false;        ///< the products are of levels, else of floats
  std::size_t weight_bytes = 0;  ///< as they are packed, with factors, biases and tables
  Traffic traffic;
};

/// A step and what it is called in reports.
struct PlannedStep {
  std::unique_ptr<Step> step;
  std::string name;  ///< "node 3 (Conv 'features/conv1')"
  StepWork work;
};

/// Immutable, so several contexts on several threads may share it.
class Plan {
 public:
  /// The graph must be verified and have types and known extents everywhere. Errors: kUnsupported for an op, a type or a form of an op
  /// that the engine does not have, kInvalidArgument for constants that an op cannot have; each names its node.
  static Result<std::shared_ptr<const Plan>> make(const model::Graph& graph, const kernels::Kernels& kernels);

  std::size_t arena_bytes() const { return arena_bytes_; }
  /// That each worker needs beside the caller.
  std::size_t worker_bytes() const { return worker_bytes_; }
  std::size_t weight_bytes() const { return weight_bytes_; }
  /// Those as they are allocated.
  std::size_t held_bytes() const { return held_bytes_; }
  const kernels::Kernels& kernels() const { return kernels_; }
  std::span<const PlannedStep> steps() const { return steps_; }
  std::span<const Buffer> buffers() const { return buffers_; }

 private:
  friend class Lowering;
  Plan() = default;
  kernels::Kernels kernels_{};
  std::vector<PlannedStep> steps_;
  std::vector<Buffer> buffers_;
  std::vector<AlignedBytes> weights_;
  std::size_t weight_bytes_ = 0;
  std::size_t held_bytes_ = 0;
  std::size_t arena_bytes_ = 0;
  std::size_t worker_bytes_ = 0;
};

}  // namespace moru::runtime::engine
