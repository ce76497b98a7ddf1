// SPDX-License-Identifier: Apache-2.0
// What the files of all ISAs do alike. Each includes it one time.
#pragma once

#include "runtime/kernels/peak/peak.h"
#include "runtime/kernels/unroll.h"

namespace moru::kernels {
namespace {

/// Each by itself: the compiler would make a product of them.
[[gnu::always_inline]] inline void add_one(std::uint64_t& sum, std::uint64_t& one) {
  sum += one;
  asm volatile("" : "+r"(sum), "+r"(one));
}

std::int64_t add_in_a_row(std::int64_t rounds) {
  constexpr int kAdditions = 64;
  std::uint64_t sum = 0;
  std::uint64_t one = 1;  // in a register: newer cores do additions of constants while they rename registers, and wait for none
  for (std::int64_t round = 0; round < rounds; ++round) {
    // No loop inside, at whose end the branch would be foretold wrongly, now and then.
    unroll<kAdditions>(MORU_BODY(auto) { add_one(sum, one); });
  }
  return rounds * kAdditions;
}

/// Bytes in a register of kBytes.
template <int kBytes>
struct Register {
  typedef std::uint64_t Type __attribute__((vector_size(kBytes)));  // NOLINT(modernize-use-using): GCC takes no attribute in a using
};

template <int kBytes>
std::uint64_t read_blocks(const std::byte* from, std::size_t bytes) {
  using Block = typename Register<kBytes>::Type;
  constexpr int kChains = 8;
  Block sums[kChains] = {};
  for (std::size_t at = 0; at + kChains * kBytes <= bytes; at += kChains * kBytes) {
    for (int i = 0; i < kChains; ++i) {
      Block block;
      __builtin_memcpy(&block, from + at + i * kBytes, kBytes);
      sums[i] ^= block;
    }
  }
  for (int i = 1; i < kChains; ++i) sums[0] ^= sums[i];
  std::uint64_t sum = 0;
  for (int i = 0; i < kBytes / 8; ++i) sum ^= sums[0][i];
  return sum;
}

}  // namespace
}  // namespace moru::kernels
