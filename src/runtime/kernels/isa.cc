// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/isa.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

namespace moru::kernels {
namespace {

constexpr std::array kNames = {std::string_view("scalar"), std::string_view("avx2"), std::string_view("avx512")};

bool machine_has(Isa isa) {
  switch (isa) {
    case Isa::kScalar: return true;
#ifdef __x86_64__
    case Isa::kAvx2: return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
#else
    case Isa::kAvx2:
    case Isa::kAvx512: return false;
#endif
  }
  return false;
}

}  // namespace

std::string_view to_string(Isa isa) { return kNames[static_cast<std::size_t>(isa)]; }

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
  const bool known = std::ranges::find(kNames, std::string_view(wanted)) != kNames.end();
  return fail(known ? ErrorCode::kUnavailable : ErrorCode::kInvalidArgument,
              fmt::format("MORU_ISA: found '{}'{}, expected one of {}", wanted, known ? ", which this machine does not have" : "",
                          fmt::join(names, ", ")));
}

}  // namespace moru::kernels
