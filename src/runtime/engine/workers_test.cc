// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/workers.h"

#include <gmock/gmock.h>

#include <array>
#include <chrono>
#include <numeric>

namespace moru::runtime::engine {
namespace {

/// How often each part of a job was done, and by whom.
struct Tally {
  std::vector<std::atomic<int>> parts = std::vector<std::atomic<int>>(1000);
  std::array<std::atomic<int>, 64> workers = {};
  std::chrono::nanoseconds each = {};

  Workers::Job job() {
    return {[](void* of, int worker, int part) noexcept {
              auto& tally = *static_cast<Tally*>(of);
              const auto end = std::chrono::steady_clock::now() + tally.each;
              tally.parts[static_cast<std::size_t>(part)].fetch_add(1, std::memory_order_relaxed);
              tally.workers[static_cast<std::size_t>(worker)].fetch_add(1, std::memory_order_relaxed);
              while (tally.each.count() > 0 && std::chrono::steady_clock::now() < end) continue;
            },
            this};
  }
};

TEST(Workers, DoEachPartOnce) {
  for (const int helpers : {0, 1, 2, 7, 40}) {  // more than there are cores
    const auto workers = Workers::start(helpers).value();
    ASSERT_EQ(workers->helpers(), helpers);
    for (const int parts : {1, 2, 3, 8, 41, 1000}) {
      Tally tally;
      for (int run = 0; run < 50; ++run) workers->run(tally.job(), parts);
      for (int i = 0; i < 1000; ++i) ASSERT_EQ(tally.parts[static_cast<std::size_t>(i)], i < parts ? 50 : 0) << parts << " parts: " << i;
      const int done = std::accumulate(tally.workers.begin(), tally.workers.end(), 0);
      EXPECT_EQ(done, 50 * parts);
      for (std::size_t i = static_cast<std::size_t>(helpers) + 1; i < tally.workers.size(); ++i) EXPECT_EQ(tally.workers[i], 0);
    }
  }
}

TEST(Workers, WhatAJobWroteIsSeenByTheNext) {
  const auto workers = Workers::start(3).value();
  std::array<std::array<int, 32>, 2> values = {};  // no atomics: sanitizers tell whether that is right
  const Workers::Job job{[](void* of, int /*worker*/, int part) noexcept {
                           auto& [from, to] = *static_cast<std::array<std::array<int, 32>, 2>*>(of);
                           to[static_cast<std::size_t>(part)] = from[static_cast<std::size_t>(31 - part)] + 1;
                         },
                         &values};
  for (int run = 1; run <= 2000; ++run) {
    workers->run(job, 32);
    ASSERT_THAT(values[1], testing::Each(run));
    std::swap(values[0], values[1]);
  }
}

TEST(Workers, HelpWithWhatTakesLong) {
  const auto workers = Workers::start(1).value();
  Tally tally;
  tally.each = std::chrono::milliseconds(2);
  // Parts that are long enough for a thread to wake up, even on a machine that is busy.
  for (int run = 0; run < 20 && tally.workers[1] == 0; ++run) workers->run(tally.job(), 16);
  EXPECT_GT(tally.workers[1], 0);
}

TEST(Workers, EndWhetherTheySpinOrAreParked) {
  for (int attempt = 0; attempt < 30; ++attempt) {
    const auto workers = Workers::start(4).value();
    Tally tally;
    workers->run(tally.job(), 16);
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(attempt * 20);
    while (std::chrono::steady_clock::now() < end) continue;
  }
}

}  // namespace
}  // namespace moru::runtime::engine
