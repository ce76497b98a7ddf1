// SPDX-License-Identifier: Apache-2.0
// The tiles of AMX. Only after the system has said yes: see isa.cc.
#pragma once

#include <cstddef>

namespace moru::kernels {
namespace {

/// Assembly, not the intrinsics of GCC 12: those do not say that they read memory, so that what is written before may be written after.
/// What a thread has in tiles is kept by the system over signals and switches; the compiler has no use of its own for them.
struct AmxTiles {
  /// From 64 bytes in the processor's layout. All tiles are zeros then.
  [[gnu::always_inline]] static void configure(const void* sizes) {
    asm volatile("ldtilecfg %0" : : "m"(*static_cast<const std::byte(*)[64]>(sizes)) : "memory");
  }
  /// To their first state, in which the system need not keep them.
  [[gnu::always_inline]] static void release() { asm volatile("tilerelease" : : : "memory"); }
  template <int kTile>
  [[gnu::always_inline]] static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile) : "memory");
  }
  template <int kTile>
  [[gnu::always_inline]] static void load(const void* at, std::ptrdiff_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(at), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  [[gnu::always_inline]] static void store(void* at, std::ptrdiff_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(at), "r"(stride), "i"(kTile) : "memory");
  }
  /// sums += levels (uint8) * weights (int8).
  template <int kSums, int kLevels, int kWeights>
  [[gnu::always_inline]] static void multiply() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kLevels), "i"(kWeights) : "memory");
  }
};

}  // namespace
}  // namespace moru::kernels
