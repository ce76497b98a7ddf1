// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/arena.h"

#include <gmock/gmock.h>

#include "core/random.h"

namespace moru::runtime::engine {
namespace {

using testing::ElementsAre;

TEST(Arena, BuffersThatDoNotMeetShareMemory) {
  const Lifetime lifetimes[] = {{100, 0, 1}, {64, 1, 2}, {100, 2, 3}};
  const ArenaPlan plan = plan_arena(lifetimes);
  EXPECT_THAT(plan.offsets, ElementsAre(0, 128, 0));
  EXPECT_EQ(plan.bytes, 192);
}

TEST(Arena, AGapIsUsedWhereABufferFits) {
  const Lifetime lifetimes[] = {{640, 0, 0}, {320, 0, 1}, {128, 1, 2}};
  EXPECT_THAT(plan_arena(lifetimes).offsets, ElementsAre(0, 640, 0));
}

TEST(Arena, NothingThatLivesTogetherOverlaps) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    std::vector<Lifetime> lifetimes;
    for (std::uint64_t i = 0; i < 30; ++i) {
      const int first = static_cast<int>(rng.below(20));
      lifetimes.push_back({static_cast<std::size_t>(rng.below(1000)) + 1, first, first + static_cast<int>(rng.below(5))});
    }
    const ArenaPlan plan = plan_arena(lifetimes);
    for (std::size_t i = 0; i < lifetimes.size(); ++i) {
      EXPECT_EQ(plan.offsets[i] % kAlignment, 0);
      EXPECT_LE(plan.offsets[i] + lifetimes[i].bytes, plan.bytes);
      for (std::size_t j = 0; j < i; ++j) {
        const bool together = lifetimes[i].first <= lifetimes[j].last && lifetimes[j].first <= lifetimes[i].last;
        const bool apart =
            plan.offsets[i] + lifetimes[i].bytes <= plan.offsets[j] || plan.offsets[j] + lifetimes[j].bytes <= plan.offsets[i];
        EXPECT_TRUE(apart || !together) << i << " " << j;
      }
    }
  }
}

}  // namespace
}  // namespace moru::runtime::engine
