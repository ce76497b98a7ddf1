// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/isa.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
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

#include "runtime/kernels/trial.h"

namespace moru::kernels {

#if defined(__x86_64__)
extern const GemmU8Kernel kGemmU8_amx;
#endif

namespace {

constexpr std::array<std::string_view, 7> kNames = {"scalar", "avx2", "avx_vnni", "avx512", "amx", "neon", "neon_dot"};
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
    case Isa::kAvx512:
    case Isa::kAmx: return kX86;
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

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
}

/// Tiles as large as the kernels want them, and the instructions for them.
bool processor_has_tiles() {
  const Cpuid features = cpuid(7, 0);
  if ((features.edx >> 24 & 1) == 0 || (features.edx >> 25 & 1) == 0) return false;
  const Cpuid palette = cpuid(0x1D, 1);
  const unsigned tile_bytes = palette.eax >> 16;
  const unsigned row_bytes = palette.ebx & 0xFFFF;
  const unsigned tiles = palette.ebx >> 16;
  const unsigned rows = palette.ecx & 0xFFFF;
  const Cpuid multiplier = cpuid(0x1E, 0);
  const unsigned depth = multiplier.ebx & 0xFF;
  const unsigned width = multiplier.ebx >> 8 & 0xFFFF;
  return cpuid(0x1D, 0).eax >= 1 && tile_bytes == 1024 && row_bytes == 64 && tiles >= 8 && rows == 16 && depth >= 16 && width >= 64;
}

/// Whether the system keeps tiles when it switches threads, and lets this process use them, for which it has to be asked. Kernels without
/// AMX, containers and emulators know no such question; a system whose stacks for signals are too small for tiles says no.
bool system_has_tiles() {
  if ((cpuid(1, 0).ecx >> 27 & 1) == 0) return false;  // xgetbv
  unsigned kept = 0;
  unsigned high = 0;
  asm volatile("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
  constexpr unsigned kSizes = 1U << 17;
  constexpr unsigned kData = 1U << 18;
  if ((kept & kSizes) == 0 || (kept & kData) == 0) return false;
  constexpr long kGetPermission = 0x1022;  // ARCH_GET_XCOMP_PERM, ARCH_REQ_XCOMP_PERM: headers are older than these
  constexpr long kAskPermission = 0x1023;
  constexpr long kDataNumber = 18;
  std::uint64_t allowed = 0;
  return syscall(SYS_arch_prctl, kAskPermission, kDataNumber) == 0 && syscall(SYS_arch_prctl, kGetPermission, &allowed) == 0 &&
         (allowed & kData) != 0;
}

/// So much must play together here that it is tried, where it can do no harm.
bool tiles_work() {
  return passes_in_child([] { return is_right(kGemmU8_amx); });
}
#endif

bool machine_has(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::kAvx2) return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  // Not asked by name: compilers learnt that one late.
  if (isa == Isa::kAvxVnni) return machine_has(Isa::kAvx2) && (cpuid(7, 1).eax >> 4 & 1) != 0;
  if (isa == Isa::kAvx512) return has_avx512();
  if (isa == Isa::kAmx) return has_avx512() && processor_has_tiles() && system_has_tiles() && tiles_work();
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
