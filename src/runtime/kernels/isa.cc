// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/isa.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif
#ifdef __aarch64__
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

namespace moru::kernels {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"scalar", "avx2", "avx_vnni", "avx512", "neon", "neon_dot"};
constexpr std::string_view kX86 = "x86-64";
constexpr std::string_view kArm = "arm64";
#if defined(__x86_64__)
constexpr std::string_view kHere = kX86;
#elif defined(__aarch64__)
constexpr std::string_view kHere = kArm;
#else
constexpr std::string_view kHere;
#endif

std::string_view architecture_of(Isa isa) {
  switch (isa) {
    case Isa::kScalar: return kHere;
    case Isa::kAvx2:
    case Isa::kAvxVnni:
    case Isa::kAvx512: return kX86;
    case Isa::kNeon:
    case Isa::kNeonDot: return kArm;
  }
  return {};
}

#if defined(__x86_64__)
struct Cpuid {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
};

/// Zeros for a leaf that there is not.
Cpuid cpuid(unsigned leaf, unsigned subleaf) {
  Cpuid said;
  if (__get_cpuid_count(leaf, subleaf, &said.eax, &said.ebx, &said.ecx, &said.edx) == 0) return {};
  return said;
}
#endif

bool machine_has(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx2) return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  // Not asked by name: compilers learnt that one late.
  if (isa == Isa::kAvxVnni) return machine_has(Isa::kAvx2) && (cpuid(7, 1).eax >> 4 & 1) != 0;
  if (isa == Isa::kAvx512) {
    return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
           __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
  }
#elif defined(__aarch64__)
  if (isa == Isa::kNeon) return true;
  if (isa == Isa::kNeonDot) return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
  return isa == Isa::kScalar;
}

}  // namespace

std::string_view to_string(Isa isa) { return kNames[static_cast<std::size_t>(isa)]; }

bool includes(Isa more, Isa less) {
  // Processors got AVX-512's products of bytes years before AVX2's.
  return less == more || (less < more && !(less == Isa::kAvxVnni && more == Isa::kAvx512));
}

std::span<const Isa> machine_isas() {
  static const std::vector<Isa> isas = [] {
    std::vector<Isa> found;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      if (machine_has(static_cast<Isa>(i))) found.push_back(static_cast<Isa>(i));
    }
    return found;
  }();
  return isas;
}

Result<Isa> chosen_isa() {
  const auto isas = machine_isas();
  const char* wanted = std::getenv("MORU_ISA");
  if (wanted == nullptr || *wanted == '\0') return isas.back();
  std::vector<std::string_view> names;
  for (const Isa isa : isas) names.push_back(to_string(isa));
  if (const auto at = std::ranges::find(names, std::string_view(wanted)); at != names.end()) {
    return isas[static_cast<std::size_t>(at - names.begin())];
  }
  const auto known = std::ranges::find(kNames, std::string_view(wanted));
  if (known == kNames.end()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("MORU_ISA: found '{}', expected one of {}", wanted, fmt::join(names, ", ")));
  }
  const std::string_view architecture = architecture_of(static_cast<Isa>(known - kNames.begin()));
  return fail(
      ErrorCode::kUnavailable,
      fmt::format("MORU_ISA: found '{}', which {}, expected one of {}", wanted,
                  architecture == kHere ? "this machine does not have" : fmt::format("is of {}", architecture), fmt::join(names, ", ")));
}

}  // namespace moru::kernels
