// SPDX-License-Identifier: Apache-2.0
// A plan with memory to run in, and with threads to help.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "runtime/engine/plan.h"
#include "runtime/engine/workers.h"

namespace moru::runtime::engine {

/// How many threads a run may take, the caller's among them. Others come in only where a step has work for them, which is measured: a
/// step that takes less than `least_ns` on one alone stays with the caller.
struct Threads {
  int count = 1;
  std::int64_t least_ns = 12'000;  ///< waking a thread takes some us, and so does fetching from another core what it wrote
};

/// Threads: one call at a time.
class Context {
 public:
  /// For more than one thread, runs the plan on zeros a few times, to know which steps are worth it. kResourceExhausted for want of memory
  /// or threads.
  static Result<std::unique_ptr<Context>> make(std::shared_ptr<const Plan> plan, const Threads& threads = {});
  /// Another of the same plan, with memory and threads of its own.
  Result<std::unique_ptr<Context>> clone() const;

  /// `inputs` and `outputs` as many and as large as the graph's, dense and in its order. Borrowed for the call. Results do not depend on
  /// the number of threads, to the bit. Allocates nothing, locks nothing; calls the system only to wake workers and to park.
  void run(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs) noexcept;
  /// Median nanoseconds of each step, shared as in run(), of so many runs: where the time goes. The clock itself takes some 20 of them a
  /// step.
  std::vector<std::int64_t> time_steps(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs, int runs);
  const Plan& plan() const { return *plan_; }
  /// What it allocated: the arena, and what each worker has for itself.
  std::size_t memory_bytes() const;
  /// Threads that a run takes, the caller's among them.
  int threads() const { return threads_; }

 private:
  explicit Context(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}
  Status add_memory();
  Status choose_parts(const Threads& threads);
  Status add_workers();
  Frame bind(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs) noexcept;
  void run_step(std::size_t index, const Frame& frame) noexcept;
  void run_together(const Step& step, int parts) noexcept;

  struct CallersBuffer {
    BufferId buffer;
    int port;
    bool is_input;
  };
  std::shared_ptr<const Plan> plan_;
  std::vector<AlignedBytes> memory_;             ///< the arena, then what the workers have
  std::vector<std::vector<std::byte*>> tables_;  ///< by worker: where its buffers lie
  std::vector<CallersBuffer> callers_;
  std::vector<int> parts_;  ///< by step
  int threads_ = 1;
  std::unique_ptr<Workers> workers_;  ///< null where the caller does everything; ends before what it works on
};

}  // namespace moru::runtime::engine
