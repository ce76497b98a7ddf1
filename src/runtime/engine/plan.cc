// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/plan.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
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

Result<AlignedBytes> allocate_aligned(std::size_t bytes) {
  if (bytes > machine_bytes()) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("native engine: found a need of {} bytes of memory, expected at most {}", bytes, machine_bytes()));
  }
  const std::size_t size = (bytes + kernels::kSlack + kAlignment - 1) / kAlignment * kAlignment;
  AlignedBytes memory(static_cast<std::byte*>(std::aligned_alloc(kAlignment, size)), std::free);
  if (!memory) return fail(ErrorCode::kResourceExhausted, fmt::format("native engine: found no {} bytes of memory", size));
  std::memset(memory.get(), 0, size);
  return memory;
}

Result<std::shared_ptr<const Plan>> Plan::make(const model::Graph& graph, const kernels::Kernels& kernels) {
  Lowering lowering(graph, kernels);
  return lowering.run();
}

Result<std::unique_ptr<Context>> Context::make(std::shared_ptr<const Plan> plan) {
  auto context = std::unique_ptr<Context>(new Context());
  MORU_ASSIGN_OR_RETURN(context->arena_, allocate_aligned(plan->arena_bytes()));
  for (const Buffer& buffer : plan->buffers()) {
    const auto id = static_cast<BufferId>(context->buffers_.size());
    switch (buffer.kind) {
      case Buffer::Kind::kArena: context->buffers_.push_back(context->arena_.get() + buffer.offset); break;
      case Buffer::Kind::kConstant: context->buffers_.push_back(buffer.constant); break;
      case Buffer::Kind::kInput:
      case Buffer::Kind::kOutput:
        context->buffers_.push_back(nullptr);
        context->callers_.push_back({id, buffer.port, buffer.kind == Buffer::Kind::kInput});
        break;
    }
  }
  context->plan_ = std::move(plan);
  return context;
}

Frame Context::bind(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs) noexcept {
  for (const CallersBuffer& callers : callers_) {
    const auto port = static_cast<std::size_t>(callers.port);
    // Steps only read what is an input: the table has one type for all.
    buffers_[static_cast<std::size_t>(callers.buffer)] = callers.is_input ? const_cast<std::byte*>(inputs[port]) : outputs[port];
  }
  return Frame(buffers_.data());
}

void Context::run(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs) noexcept {
  const Frame frame = bind(inputs, outputs);
  for (const PlannedStep& planned : plan_->steps()) planned.step->run(frame);
}

std::vector<std::int64_t> Context::time_steps(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs, int runs) {
  const Frame frame = bind(inputs, outputs);
  std::vector<std::vector<std::int64_t>> times(plan_->steps().size());
  for (int run = 0; run < runs; ++run) {
    for (std::size_t i = 0; i < times.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      plan_->steps()[i].step->run(frame);
      times[i].push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - start).count());
    }
  }
  std::vector<std::int64_t> medians;
  for (auto& step : times) {
    const auto middle = step.begin() + static_cast<std::ptrdiff_t>(step.size() / 2);
    std::ranges::nth_element(step, middle);
    medians.push_back(step.empty() ? 0 : *middle);
  }
  return medians;
}

}  // namespace moru::runtime::engine
