// SPDX-License-Identifier: Apache-2.0
// Kernels leave no upper halves of registers in use: the engine between them is compiled for every machine, and its instructions for
// SSE would wait for them, a third of a microsecond each time.
#if defined(__x86_64__)
#include <cpuid.h>
#include <gmock/gmock.h>

#include <array>

#include "runtime/engine/context.h"
#include "runtime/engine/random_graph.h"

namespace moru::runtime::engine {
namespace {

/// Whether the processor says what it would have to save (XGETBV with ECX = 1; every one with AVX2 but the first).
bool says_what_is_in_use() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  constexpr unsigned kXgetbv1 = 1U << 2U;
  return __get_cpuid_count(0xD, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kXgetbv1) != 0;
}

bool upper_halves_in_use() {
  constexpr unsigned kAvx = 1U << 2U;
  unsigned low = 0;
  unsigned high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
  return (low & kAvx) != 0;
}

/// All buffers of a plan, in memory of their own.
struct Buffers {
  std::vector<AlignedBytes> memory;
  std::vector<std::byte*> table;
};

Buffers buffers_of(const Plan& plan, const RandomNetwork& network) {
  Buffers buffers;
  const auto add = [&](std::size_t bytes) { return buffers.memory.emplace_back(allocate_aligned(bytes).value()).get(); };
  std::byte* const arena = add(plan.arena_bytes());
  for (const Buffer& buffer : plan.buffers()) {
    switch (buffer.kind) {
      case Buffer::Kind::kArena:
      case Buffer::Kind::kScratch: buffers.table.push_back(arena + buffer.offset); break;
      case Buffer::Kind::kConstant: buffers.table.push_back(buffer.constant); break;
      case Buffer::Kind::kOutput: buffers.table.push_back(add(buffer.bytes)); break;
      case Buffer::Kind::kInput: {
        const auto bytes = network.inputs[static_cast<std::size_t>(buffer.port)].view().bytes;
        std::ranges::copy(bytes, buffers.table.emplace_back(add(buffer.bytes)));
      }
    }
  }
  return buffers;
}

void expect_none_in_use(const RandomNetwork& network, kernels::Isa isa, std::uint64_t seed) {
  const auto plan = Plan::make(network.graph, kernels::kernels_for(isa));
  ASSERT_TRUE(plan) << plan.error().message;
  const Buffers buffers = buffers_of(**plan, network);
  const Frame frame(buffers.table.data());
  for (const PlannedStep& step : (*plan)->steps()) {
    __asm__ volatile("vzeroupper" ::: "memory");
    step.step->run(frame);
    const bool in_use = upper_halves_in_use();
    EXPECT_FALSE(in_use) << "seed " << seed << ": " << step.name << " (" << step.work.ops << ")";
  }
}

class UpperHalves : public testing::TestWithParam<kernels::Isa> {};
INSTANTIATE_TEST_SUITE_P(Engine, UpperHalves, testing::ValuesIn(kernels::machine_isas().begin(), kernels::machine_isas().end()),
                         [](const auto& isa) { return std::string(kernels::to_string(isa.param)); });

TEST_P(UpperHalves, AreNotInUseBehindAnyStep) {
  if (!says_what_is_in_use()) GTEST_SKIP() << "this processor does not say what is in use";
  struct Kind {
    RandomNetwork (*make)(const Choices& choices);
    std::uint64_t seeds;
  };
  constexpr std::array kKinds = {Kind{random_levels, 150},      Kind{random_floats, 150},   Kind{random_hybrid, 100},
                                 Kind{random_values, 150},      Kind{random_sequences, 60}, Kind{random_rows_of_levels, 8},
                                 Kind{random_rows_of_floats, 8}};
  for (const Kind& kind : kKinds) {
    for (std::uint64_t seed = 1; seed <= kind.seeds; ++seed) expect_none_in_use(kind.make(seed), GetParam(), seed);
  }
}

}  // namespace
}  // namespace moru::runtime::engine
#endif
