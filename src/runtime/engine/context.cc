// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/context.h"

#include <algorithm>
#include <chrono>
#include <limits>

namespace moru::runtime::engine {
namespace {

std::int64_t nanoseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

/// Memory for the caller's ports: zeros.
struct Ports {
  std::vector<AlignedBytes> memory;
  std::vector<const std::byte*> inputs;
  std::vector<std::byte*> outputs;
};

Result<Ports> make_ports(const Plan& plan) {
  Ports ports;
  for (const Buffer& buffer : plan.buffers()) {
    if (buffer.kind != Buffer::Kind::kInput && buffer.kind != Buffer::Kind::kOutput) continue;
    MORU_ASSIGN_OR_RETURN(auto memory, allocate_aligned(buffer.bytes));
    const auto port = static_cast<std::size_t>(buffer.port);
    const bool is_input = buffer.kind == Buffer::Kind::kInput;
    if (is_input) {
      ports.inputs.resize(std::max(ports.inputs.size(), port + 1));
      ports.inputs[port] = memory.get();
    } else {
      ports.outputs.resize(std::max(ports.outputs.size(), port + 1));
      ports.outputs[port] = memory.get();
    }
    ports.memory.push_back(std::move(memory));
  }
  return ports;
}

/// Of a step that takes so long alone: a few us each at the least, and where it takes longer several for each worker, so that one who is
/// held up holds up nobody. More cost more: rows of an image are read by two parts where they meet.
int parts_for(const Step& step, std::int64_t ns, const Threads& threads) {
  constexpr std::int64_t kLeastNs = 4'000;
  constexpr std::int64_t kUsualNs = 12'000;
  constexpr std::int64_t kMostEach = 4;
  if (threads.least_ns == 0) return threads.count;
  if (step.repeats()) return static_cast<int>(std::min<std::int64_t>(threads.count, ns / kLeastNs));
  const std::int64_t each = std::clamp<std::int64_t>(ns / (threads.count * kUsualNs), 1, kMostEach);
  return static_cast<int>(std::min(each * threads.count, ns / kLeastNs));
}

}  // namespace

Result<std::unique_ptr<Context>> Context::make(std::shared_ptr<const Plan> plan, const Threads& threads) {
  std::unique_ptr<Context> context(new Context(std::move(plan)));
  MORU_RETURN_IF_ERROR(context->add_memory());
  context->parts_.assign(context->plan_->steps().size(), 1);
  if (threads.count > 1) MORU_RETURN_IF_ERROR(context->choose_parts(threads));
  MORU_RETURN_IF_ERROR(context->add_workers());
  return context;
}

Result<std::unique_ptr<Context>> Context::clone() const {
  std::unique_ptr<Context> context(new Context(plan_));
  MORU_RETURN_IF_ERROR(context->add_memory());
  context->parts_ = parts_;
  context->threads_ = threads_;
  MORU_RETURN_IF_ERROR(context->add_workers());
  return context;
}

Status Context::add_memory() {
  MORU_ASSIGN_OR_RETURN(auto arena, allocate_aligned(plan_->arena_bytes()));
  std::vector<std::byte*> table;
  for (const Buffer& buffer : plan_->buffers()) {
    const auto id = static_cast<BufferId>(table.size());
    switch (buffer.kind) {
      case Buffer::Kind::kArena:
      case Buffer::Kind::kScratch: table.push_back(arena.get() + buffer.offset); break;
      case Buffer::Kind::kConstant: table.push_back(buffer.constant); break;
      case Buffer::Kind::kInput:
      case Buffer::Kind::kOutput:
        table.push_back(nullptr);
        callers_.push_back({id, buffer.port, buffer.kind == Buffer::Kind::kInput});
        break;
    }
  }
  tables_.push_back(std::move(table));
  memory_.push_back(std::move(arena));
  return {};
}

Status Context::choose_parts(const Threads& threads) {
  constexpr int kRuns = 3;
  constexpr std::int64_t kEnoughNs = 50'000'000;
  MORU_ASSIGN_OR_RETURN(const Ports ports, make_ports(*plan_));
  const Frame frame = bind(ports.inputs, ports.outputs);
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::int64_t> fastest(plan_->steps().size(), std::numeric_limits<std::int64_t>::max());
  for (int run = 0; run < kRuns && nanoseconds(std::chrono::steady_clock::now() - start) < kEnoughNs; ++run) {
    for (std::size_t i = 0; i < fastest.size(); ++i) {
      const auto before = std::chrono::steady_clock::now();
      plan_->steps()[i].step->run(frame);
      fastest[i] = std::min(fastest[i], nanoseconds(std::chrono::steady_clock::now() - before));
    }
  }
  for (std::size_t i = 0; i < fastest.size(); ++i) {
    const Step& step = *plan_->steps()[i].step;
    if (fastest[i] >= threads.least_ns) parts_[i] = std::min(step.pieces(), parts_for(step, fastest[i], threads));
    parts_[i] = std::clamp(parts_[i], 1, Workers::kMostParts);
  }
  for (const int parts : parts_) threads_ = std::max(threads_, std::min(threads.count, parts));
  return {};
}

Status Context::add_workers() {
  if (threads_ == 1) return {};
  for (int worker = 1; worker < threads_; ++worker) {
    MORU_ASSIGN_OR_RETURN(auto memory, allocate_aligned(plan_->worker_bytes()));
    std::vector<std::byte*> table = tables_.front();
    for (std::size_t i = 0; i < table.size(); ++i) {
      const Buffer& buffer = plan_->buffers()[i];
      if (buffer.kind == Buffer::Kind::kScratch) table[i] = memory.get() + buffer.worker_offset;
    }
    tables_.push_back(std::move(table));
    memory_.push_back(std::move(memory));
  }
  MORU_ASSIGN_OR_RETURN(workers_, Workers::start(threads_ - 1));
  return {};
}

std::size_t Context::memory_bytes() const {
  return aligned_size(plan_->arena_bytes()) + (tables_.size() - 1) * aligned_size(plan_->worker_bytes());
}

Frame Context::bind(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs) noexcept {
  for (const CallersBuffer& callers : callers_) {
    const auto port = static_cast<std::size_t>(callers.port);
    // Steps only read what is an input: the table has one type for all.
    std::byte* memory = callers.is_input ? const_cast<std::byte*>(inputs[port]) : outputs[port];
    for (auto& table : tables_) table[static_cast<std::size_t>(callers.buffer)] = memory;
  }
  return Frame(tables_.front().data());
}

void Context::run(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs) noexcept {
  const Frame frame = bind(inputs, outputs);
  for (std::size_t i = 0; i < parts_.size(); ++i) run_step(i, frame);
}

void Context::run_step(std::size_t index, const Frame& frame) noexcept {
  const Step& step = *plan_->steps()[index].step;
  if (parts_[index] == 1) {
    step.run(frame);
  } else {
    run_together(step, parts_[index]);
  }
}

void Context::run_together(const Step& step, int parts) noexcept {
  struct Shared {
    const Context& context;
    const Step& step;
    std::int64_t parts;
  } shared{*this, step, parts};
  const auto run_part = [](void* of, int worker, int part) noexcept {
    const Shared& job = *static_cast<const Shared*>(of);
    const auto cut = [&](std::int64_t at) { return static_cast<int>(job.step.pieces() * at / job.parts); };
    const Frame frame(job.context.tables_[static_cast<std::size_t>(worker)].data());
    job.step.run_pieces(frame, cut(part), cut(std::int64_t{part} + 1));
  };
  workers_->run({run_part, &shared}, parts);
}

std::vector<std::int64_t> Context::time_steps(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs, int runs) {
  const Frame frame = bind(inputs, outputs);
  std::vector<std::vector<std::int64_t>> times(plan_->steps().size());
  for (int run = 0; run < runs; ++run) {
    for (std::size_t i = 0; i < times.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      run_step(i, frame);
      times[i].push_back(nanoseconds(std::chrono::steady_clock::now() - start));
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
