// SPDX-License-Identifier: Apache-2.0
// Bytes, four at a time, where they lie.
#include "runtime/kernels/vnni_256.h"

namespace moru::kernels {
namespace {

constexpr int kOfStep = 4;
constexpr int kBlockBytes = kRegister;

[[gnu::always_inline]] inline __m256i load_weights(const std::byte* at) { return load(at); }

/// So many sums must be under way to hide that each takes some cycles: further ones along k make up for a small tile.
constexpr int chains_for(int sums) { return sums >= 8 ? 1 : sums >= 4 ? 2 : sums >= 2 ? 4 : 8; }

}  // namespace
}  // namespace moru::kernels

#include "runtime/kernels/gemm_u8/body_256.h"

namespace moru::kernels {
namespace {

/// Rows of any length are read at a time.
Source next_part(const Panel& panel, int /*row*/, int /*rows*/, int /*part*/) { return panel.source; }

void run_once(const GemmU8& call) {
  const Source source{call.lines != nullptr ? call.lines : &call.a, call.line_count, call.a_stride, steps_of(call.k)};
  const int together = rows_together(call);
  for (int row = 0; row < call.m; row += together) {
    run_rows({call, source, 1, nullptr, call.weights}, row, call.m - row < together ? call.m : row + together);
  }
}

void run(const GemmU8& call) { run_times(call, run_once); }

}  // namespace

extern const GemmU8Kernel kGemmU8_avx_vnni;
const GemmU8Kernel kGemmU8_avx_vnni{Isa::kAvxVnni, packed_bytes, pack, run};

}  // namespace moru::kernels
