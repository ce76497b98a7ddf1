// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/machine.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/files.h"
#include "core/json.h"
#include "core/text.h"

namespace moru::runtime {
namespace {

constexpr std::array<std::string_view, 19> kFeatures = {
    "sse4_1",   "avx",      "f16c",     "fma",   "avx2",    "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16",
    "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm",     "bf16",    "sve",      "sve2"};

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max<long>(1, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

}  // namespace

void read_cpuinfo(std::string_view text, Machine* machine) {
  std::set<std::string_view> flags;
  for (const auto line : split(text, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto key = trim(line.substr(0, colon));
    const auto value = trim(line.substr(colon + 1));
    if ((key == "model name" || key == "Model") && machine->cpu.empty()) machine->cpu = std::string(value);
    if (flags.empty() && (key == "flags" || key == "Features")) {
      for (const auto flag : split(value, ' ')) flags.insert(flag);
    }
  }
  for (const auto feature : kFeatures) {
    if (flags.contains(feature)) machine->isa.emplace_back(feature);
  }
}

Machine describe_machine() {
  Machine machine;
  read_cpuinfo(read_file("/proc/cpuinfo").value_or(""), &machine);
  if (machine.cpu.empty()) machine.cpu = "unknown";
  utsname names{};
  if (::uname(&names) == 0) {
    machine.architecture = names.machine;
    machine.system = fmt::format("{} {}", names.sysname, names.release);
  }
  machine.cores = usable_cores();
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGE_SIZE);
  if (pages > 0 && page > 0) machine.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
  return machine;
}

Json to_json(const Machine& machine) {
  return {{"cpu", machine.cpu},     {"architecture", machine.architecture}, {"system", machine.system},
          {"cores", machine.cores}, {"memory_bytes", machine.memory_bytes}, {"isa", machine.isa}};
}

std::string to_string(const Machine& machine) {
  return fmt::format("{}, {} core{}, {}", machine.cpu, machine.cores, machine.cores == 1 ? "" : "s", fmt::join(machine.isa, " "));
}

}  // namespace moru::runtime
