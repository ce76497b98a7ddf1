// SPDX-License-Identifier: Apache-2.0
// AMX's kernel for every processor: all products in tiles of plain C++, which the scalar kernel's arithmetic makes levels of.
#include "runtime/kernels/gemm_u8/tiles_for_test.h"

#include "runtime/kernels/round.h"

namespace moru::kernels {
namespace {

struct Model : TilesForTest {
  static void finish(const GemmU8& call, const std::int32_t* sums, int row, int rows, int first, int count) {
    for (int i = row; i < row + rows; ++i, sums += kStride) {
      for (int j = 0; j < count; ++j) {
        std::int32_t sum = sums[j] + call.bias[first + j];
        if (call.row_sums != nullptr) sum -= call.w_zero[first + j] * call.row_sums[i];
        call.c[i * call.c_stride + first + j] =
            to_level(static_cast<float>(sum) * call.to.factor[first + j], call.to.low, call.to.high, call.to.zero);
      }
    }
  }
};

void pack(const std::int8_t* w, int n, int lines, int k, std::byte* packed) { tile_pack(w, n, lines * k, packed); }

void run(const GemmU8& call) {
  Model model;
  run_in_tiles(model, call);
}

}  // namespace

extern const GemmU8Kernel kGemmU8_tiles_for_test;
const GemmU8Kernel kGemmU8_tiles_for_test{Isa::kScalar, tile_packed_bytes, pack, run};

}  // namespace moru::kernels
