// SPDX-License-Identifier: Apache-2.0
// AMX's kernel for processors with AVX-512 but without tiles: these are of plain C++, all else is the kernel's.
#include "runtime/kernels/gemm_u8/finish_amx.h"
#include "runtime/kernels/gemm_u8/tiles_for_test.h"

namespace moru::kernels {
namespace {

struct Model : TilesForTest {
  static void finish(const GemmU8& call, const std::int32_t* sums, int row, int rows, int first, int count) {
    finish_rows(call, sums, row, rows, first, count);
  }
};

}  // namespace

extern const GemmU8Kernel kGemmU8_amx_for_test;
const GemmU8Kernel kGemmU8_amx_for_test{Isa::kAvx512, packed_bytes, pack, run<Model>};

}  // namespace moru::kernels
