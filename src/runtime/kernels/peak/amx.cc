// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/amx.h"

#include "runtime/kernels/peak/body.h"
#include "runtime/kernels/peak/floats_512.h"
#include "runtime/kernels/tile_sizes.h"

namespace moru::kernels {
namespace {

/// Four tiles of sums, which do not wait for each other.
std::int64_t multiply_levels(std::int64_t rounds) {
  const TileSizes sizes = sizes_for(kTileRows, kTileBytes);
  AmxTiles::configure(&sizes);
  for (std::int64_t round = 0; round < rounds; ++round) {
    unroll<4>(MORU_BODY(auto i) { AmxTiles::multiply<i, kLevelTile + i / 2, kWeightTile + i % 2>(); });
  }
  AmxTiles::release();
  return rounds * 4 * kTileRows * kOutputs * kTileBytes;
}

}  // namespace

extern const PeakKernel kPeak_amx;
const PeakKernel kPeak_amx{Isa::kAmx, "vfmadd231ps", "tdpbusd", add_in_a_row, multiply_floats, multiply_levels, read_blocks<kRegister>};

}  // namespace moru::kernels
