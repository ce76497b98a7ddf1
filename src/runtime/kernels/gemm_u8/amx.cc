// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/amx.h"

#include "runtime/kernels/gemm_u8/finish_amx.h"

namespace moru::kernels {
namespace {

struct Processor : AmxTiles {
  static void configure(const TileSizes& sizes) { AmxTiles::configure(&sizes); }
  static void finish(const GemmU8& call, const std::int32_t* sums, int row, int rows, int first, int count) {
    finish_rows(call, sums, row, rows, first, count);
  }
};

}  // namespace

extern const GemmU8Kernel kGemmU8_amx;
const GemmU8Kernel kGemmU8_amx{Isa::kAmx, packed_bytes, pack, run<Processor>};

}  // namespace moru::kernels
