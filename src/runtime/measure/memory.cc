// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>

#include "core/files.h"
#include "core/text.h"

namespace moru::runtime {

std::uint64_t status_field(std::string_view text, std::string_view name) {
  for (auto line : split(text, '\n')) {
    if (!line.starts_with(name) || !line.substr(name.size()).starts_with(':')) continue;
    line = trim(line.substr(name.size() + 1));
    std::uint64_t kilobytes = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), kilobytes);
    constexpr std::uint64_t kMax = std::uint64_t{1} << 50U;
    return error == std::errc() && kilobytes < kMax ? kilobytes * 1024 : 0;
  }
  return 0;
}

Result<Memory> read_memory(pid_t pid) {
  const std::string folder = pid == 0 ? "/proc/self" : fmt::format("/proc/{}", pid);
  MORU_ASSIGN_OR_RETURN(const auto status, read_file(folder + "/status"));
  Memory memory{
      .resident_bytes = status_field(status, "VmRSS"), .peak_resident_bytes = status_field(status, "VmHWM"), .proportional_bytes = 0};
  if (memory.resident_bytes == 0) {
    return fail(ErrorCode::kUnsupported, fmt::format("{}/status: found no VmRSS, expected the resident size of a running process", folder));
  }
  if (const auto rollup = read_file(folder + "/smaps_rollup")) memory.proportional_bytes = status_field(*rollup, "Pss");
  return memory;
}

Status reset_peak_resident() {
  const Path path = "/proc/self/clear_refs";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fail(errno_error("open", path));
  const bool written = ::write(fd, "5", 1) == 1;  // 5: the peak alone (proc(5))
  const Error error = errno_error("write", path);
  ::close(fd);
  if (!written) return fail(error);
  return {};
}

}  // namespace moru::runtime
