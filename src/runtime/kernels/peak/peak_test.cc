// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cstring>
#include <vector>

#include "core/random.h"
#include "runtime/kernels/kernels.h"

namespace moru::kernels {
namespace {

TEST(Peak, ReadingReadsEverything) {
  constexpr std::size_t kBytes = 4096;
  std::vector<std::uint64_t> memory(kBytes / sizeof(std::uint64_t));
  Rng rng(7);
  std::uint64_t all = 0;
  for (std::uint64_t& word : memory) all ^= word = rng.next();
  for (const Isa isa : machine_isas()) {
    const PeakKernel& kernel = *kernels_for(isa).peak;
    EXPECT_EQ(kernel.read(reinterpret_cast<const std::byte*>(memory.data()), kBytes), all) << to_string(isa);
  }
}

TEST(Peak, WorkIsCountedByRounds) {
  for (const Isa isa : machine_isas()) {
    const PeakKernel& kernel = *kernels_for(isa).peak;
    for (const auto work : {kernel.add_in_a_row, kernel.multiply_floats, kernel.multiply_levels}) {
      EXPECT_EQ(work(0), 0) << to_string(isa);
      EXPECT_GT(work(1), 0) << to_string(isa);
      EXPECT_EQ(work(6), 6 * work(1)) << to_string(isa);
    }
  }
}

}  // namespace
}  // namespace moru::kernels
