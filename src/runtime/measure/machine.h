// SPDX-License-Identifier: Apache-2.0
// The machine that figures were measured on. Every report names it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_fwd.h"

namespace moru::runtime {

struct Machine {
  std::string cpu;           ///< "AMD EPYC 9R14"; "unknown" when the system does not say
  std::string architecture;  ///< as uname has it: "x86_64"
  std::string system;        ///< "Linux 6.1.0"
  int cores = 1;             ///< that this process may use
  std::uint64_t memory_bytes = 0;
  /// What matters to inference, in the kernel's words: of x86 avx2, fma, avx512f, avx512_vnni, avx_vnni, amx_int8, ...;
  /// of Arm asimd, asimddp, i8mm, sve, ...
  std::vector<std::string> isa;
};

Machine describe_machine();

/// The part that /proc/cpuinfo tells: name and ISA features. Untrusted only in form: anything missing stays empty.
void read_cpuinfo(std::string_view text, Machine* machine);

/// {"cpu", "architecture", "system", "cores", "memory_bytes", "isa": [...]}
Json to_json(const Machine& machine);

/// "AMD EPYC 9R14, 2 cores, avx2 avx512f avx512_vnni"
std::string to_string(const Machine& machine);

}  // namespace moru::runtime
