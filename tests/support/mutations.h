// SPDX-License-Identifier: Apache-2.0
// Tests that read files changed at random.
//
// Mutation i of a file is the same on every machine. A run takes a tenth of MORU_MUTATIONS (1,000 when it is not set), another tenth
// each day; MORU_MUTATIONS=all:10000 takes all of them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/sanitized_for_test.h"

namespace moru {

struct MutationRange {
  std::uint64_t first;
  std::uint64_t last;
};

inline MutationRange mutations_of_today() {
  std::string_view text = "1000";
  if (const char* given = std::getenv("MORU_MUTATIONS"); given != nullptr) text = given;
  const bool all = text.starts_with("all:");
  if (all) text.remove_prefix(4);
  std::uint64_t count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  EXPECT_TRUE(failure == std::errc{} && end == text.data() + text.size() && count >= 10)
      << "MORU_MUTATIONS: a number, or all: and a number";
  if (all) return {0, count};
  const auto days = std::chrono::duration_cast<std::chrono::hours>(std::chrono::system_clock::now().time_since_epoch()).count() / 24;
  const auto tenth = static_cast<std::uint64_t>(days % 10);
  return {tenth * count / 10, (tenth + 1) * count / 10};
}

/// AddressSanitizer keeps what was freed for a while, so a process of its builds grows for reasons of its own.
inline constexpr bool kMemoryIsOurs = !MORU_ADDRESS_SANITIZED;

inline std::int64_t peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

/// Makes each mutation of today and checks it. Prints what the slowest check took and by how much the process grew; fails above 2 s, or
/// `max_memory_bytes` where the process's memory is its own.
template <class Make, class Check>
void run_mutations(const std::string& name, std::uint64_t max_memory_bytes, Make make, Check check) {
  const MutationRange range = mutations_of_today();
  const std::int64_t before = peak_memory();
  std::chrono::nanoseconds slowest{0};
  for (std::uint64_t number = range.first; number < range.last; ++number) {
    SCOPED_TRACE(fmt::format("mutation {} of {}", number, name));
    const std::string mutant = make(number);
    const auto start = std::chrono::steady_clock::now();
    check(mutant);
    slowest = std::max<std::chrono::nanoseconds>(slowest, std::chrono::steady_clock::now() - start);
  }
  const std::int64_t grown = peak_memory() - before;
  fmt::print("{}: mutations {} to {}, slowest {} ms, memory grown by {} MB\n", name, range.first, range.last - 1,
             std::chrono::duration_cast<std::chrono::milliseconds>(slowest).count(), grown / 1'000'000);
  EXPECT_LT(slowest, std::chrono::seconds(2));
  EXPECT_TRUE(!kMemoryIsOurs || grown < static_cast<std::int64_t>(max_memory_bytes)) << "grown by " << grown << " of " << max_memory_bytes;
}

}  // namespace moru
