// SPDX-License-Identifier: Apache-2.0
// Rows of a matrix product from the rows of an image: to[x] is, one after the other, `segment` bytes of each line from x * step on.
#pragma once

#include <span>

#include "runtime/kernels/common.h"

namespace moru::kernels {

struct Gather {
  const std::byte* const* lines = nullptr;  ///< one a row of the convolution's kernel
  int line_count = 0;
  int count = 0;                 ///< outputs
  std::ptrdiff_t step = 0;       ///< bytes of a line from one output to the next
  std::ptrdiff_t segment = 0;    ///< bytes of each line that an output reads
  std::byte* to = nullptr;       ///< writable kSlack bytes behind the last row
  std::ptrdiff_t to_stride = 0;  ///< bytes from one output to the next, line_count * segment or more
};

struct GatherKernel {
  Isa isa;
  /// May write anything between the rows and up to kSlack bytes behind the last.
  void (*run)(const Gather& call);
};

std::span<const GatherKernel* const> all_gather();

}  // namespace moru::kernels
