// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker/hosted_case.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <new>

#include "core/text.h"

namespace moru::runtime {
namespace {

/// Pages of mapped files do not count.
bool limit_memory(std::uint64_t bytes) {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  for (int field = 0; field < 6; ++field) file >> pages;  // the sixth: data and stack
  if (!file) return false;
  const std::uint64_t used = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const rlimit limit{used + bytes, used + bytes};
  return ::setrlimit(RLIMIT_DATA, &limit) == 0;
}

}  // namespace

CaseResult run_hosted_case(std::string_view backend, const CaseRequest& request) {
  static const bool limited = limit_memory(request.options.max_memory_bytes);
  (void)limited;
  try {
    return run_case(request.folder, backend, request.options);
  } catch (const std::bad_alloc&) {  // the limit on memory, where no code of ours asks before it allocates
    return {Verdict::kFail,
            fmt::format("found that it takes more than {} of memory, expected less", human_bytes(request.options.max_memory_bytes))};
  }
}

}  // namespace moru::runtime
