// SPDX-License-Identifier: Apache-2.0
// Instruction sets that kernels are written for.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"

namespace moru::kernels {

/// From the least to the most on each architecture. A machine that has one has those of its architecture before it, but kAvxVnni: see
/// includes().
enum class Isa : std::uint8_t {
  kScalar,   ///< plain C++, every machine: what the others must equal
  kAvx2,     ///< x86-64 with AVX2 and FMA
  kAvxVnni,  ///< AVX2, and products of bytes in its registers (AVX-VNNI): processors without AVX-512
  kAvx512,   ///< AVX-512 F, BW, DQ, VL and VNNI
  kAmx,      ///< the same, and tiles of bytes (AMX-INT8) that the system lets this process use
  kNeon,     ///< every arm64
  kNeonDot,  ///< arm64 with the dot products of bytes of ARMv8.2
};

/// "scalar", "avx2", "avx_vnni", "avx512", "amx", "neon", "neon_dot"
std::string_view to_string(Isa isa);

/// Whether each machine that has `more` has `less`, too.
bool includes(Isa more, Isa less);

/// All that this machine has, the least first.
std::span<const Isa> machine_isas();

/// The best of this machine, or the one that the environment variable MORU_ISA names. kInvalidArgument for a name that is not
/// known, kUnavailable for one that this machine does not have or that is of another architecture; all list those it has.
Result<Isa> chosen_isa();

}  // namespace moru::kernels
