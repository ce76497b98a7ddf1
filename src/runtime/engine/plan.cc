// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/plan.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "runtime/engine/arena.h"
#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

namespace {

/// What the machine has. Memory is written to when it is allocated, and more than there is would end the process instead of the call.
std::size_t machine_bytes() {
  static const std::size_t bytes = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

std::size_t aligned_size(std::size_t bytes) { return (bytes + kernels::kSlack + kAlignment - 1) / kAlignment * kAlignment; }

Result<AlignedBytes> allocate_aligned(std::size_t bytes) {
  if (bytes > machine_bytes()) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("native engine: found a need of {} bytes of memory, expected at most {}", bytes, machine_bytes()));
  }
  const std::size_t size = aligned_size(bytes);
  AlignedBytes memory(static_cast<std::byte*>(std::aligned_alloc(kAlignment, size)), std::free);
  if (!memory) return fail(ErrorCode::kResourceExhausted, fmt::format("native engine: found no {} bytes of memory", size));
  std::memset(memory.get(), 0, size);
  return memory;
}

Result<std::shared_ptr<const Plan>> Plan::make(const model::Graph& graph, const kernels::Kernels& kernels) {
  Lowering lowering(graph, kernels);
  return lowering.run();
}

}  // namespace moru::runtime::engine
