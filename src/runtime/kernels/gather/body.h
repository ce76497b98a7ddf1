// SPDX-License-Identifier: Apache-2.0
// Each ISA's file includes this one time; the compiler moves blocks in its widest registers.
#pragma once

#include "runtime/kernels/gather/gather.h"

namespace moru::kernels {
namespace {

/// Whole blocks, the last of which reads and writes more than it must: what it writes too much is written over by what comes next.
template <int kBlock>
void copy_segments(const Gather& call) {
  const Gather it = call;
  for (int x = 0; x < it.count; ++x) {
    std::byte* to = it.to + x * it.to_stride;
    for (int i = 0; i < it.line_count; ++i, to += it.segment) {
      const std::byte* from = it.lines[i] + x * it.step;
      for (std::ptrdiff_t at = 0; at < it.segment; at += kBlock) __builtin_memcpy(to + at, from + at, kBlock);
    }
  }
}

/// The same where one block is a segment: no inner loop.
template <int kBlock>
void copy_blocks(const Gather& call) {
  const Gather it = call;
  for (int x = 0; x < it.count; ++x) {
    std::byte* to = it.to + x * it.to_stride;
    for (int i = 0; i < it.line_count; ++i, to += it.segment) __builtin_memcpy(to, it.lines[i] + x * it.step, kBlock);
  }
}

void run(const Gather& call) {
  if (call.segment <= 4) return copy_blocks<4>(call);
  if (call.segment <= 8) return copy_blocks<8>(call);
  if (call.segment <= 16) return copy_blocks<16>(call);
  if (call.segment <= 32) return copy_blocks<32>(call);
  if (call.segment % 64 == 0 || call.segment > 256) return copy_segments<64>(call);
  return copy_segments<16>(call);
}

}  // namespace
}  // namespace moru::kernels
