// SPDX-License-Identifier: Apache-2.0
// Loops that do one thing as often as the machine can: what the speed of the other families is compared with. Who measures takes the time.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

struct PeakKernel {
  Isa isa;
  const char* float_route;  ///< the instructions of multiply_floats, for reports
  const char* level_route;  ///< those of multiply_levels: the ones that gemm_u8 of this ISA multiplies with
  /// Each repeats its loop `rounds` times and gives how often it did the thing.
  /// Additions each of which waits for the one before: one a cycle, so this is the clock.
  std::int64_t (*add_in_a_row)(std::int64_t rounds);
  /// Multiply-accumulates of floats.
  std::int64_t (*multiply_floats)(std::int64_t rounds);
  /// Multiply-accumulates of levels and weights to int32.
  std::int64_t (*multiply_levels)(std::int64_t rounds);
  /// Reads all of `from`, `bytes` being a multiple of 1024; gives something that depends on all of it.
  std::uint64_t (*read)(const std::byte* from, std::size_t bytes);
};

std::span<const PeakKernel* const> all_peak();

}  // namespace moru::kernels
