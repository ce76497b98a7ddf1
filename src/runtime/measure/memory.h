// SPDX-License-Identifier: Apache-2.0
// Memory of a process, as the kernel counts it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>

#include "core/result.h"

namespace moru::runtime {

struct Memory {
  std::uint64_t resident_bytes = 0;       ///< RSS now
  std::uint64_t peak_resident_bytes = 0;  ///< highest RSS since the start or the last reset_peak()
  std::uint64_t proportional_bytes = 0;   ///< PSS: shared pages divided among those who share; 0 where the kernel hides it
};

/// Of process `pid`, 0 for this one. Errors: kNotFound, kIo, kUnsupported (a kernel that does not tell). Cost: milliseconds.
Result<Memory> read_memory(pid_t pid = 0);

/// Lets this process's peak start again from what is resident now, so that the peak of one piece of work can be seen.
Status reset_peak_resident();

/// A field such as "VmHWM" of /proc/PID/status, in bytes; nothing when it is not there.
std::uint64_t status_field(std::string_view text, std::string_view name);

}  // namespace moru::runtime
