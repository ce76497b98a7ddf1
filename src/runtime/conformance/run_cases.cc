// SPDX-License-Identifier: Apache-2.0
#include "runtime/conformance/run_cases.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <new>
#include <optional>
#include <utility>

#include "core/files.h"
#include "core/process.h"
#include "core/text.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {
namespace {

/// A reason is a sentence; what a foreign runtime says is cut here.
constexpr std::size_t kMaxReason = 16384;

/// What the child writes of a result before its reason.
struct Head {
  Verdict verdict;
  std::uint32_t size;
};

bool write_all(int fd, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t done = ::write(fd, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

/// From now on this process may allocate so many bytes more. Pages of mapped files do not count.
void limit_memory(std::uint64_t bytes) {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  for (int field = 0; field < 6; ++field) file >> pages;  // the sixth: data and stack
  if (!file) return;
  const std::uint64_t used = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const rlimit limit{used + bytes, used + bytes};
  ::setrlimit(RLIMIT_DATA, &limit);
}

CaseResult run_within_memory(const Path& folder, std::string_view backend, const CaseOptions& options) {
  try {
    return run_case(folder, backend, options);
  } catch (const std::bad_alloc&) {  // the limit on memory, where no code of ours asks before it allocates
    return {Verdict::kFail,
            fmt::format("found that it takes more than {} of memory, expected less", human_bytes(options.max_memory_bytes))};
  }
}

/// The child's life: a result a case.
void work(int out, std::span<const model::TestCase> cases, std::string_view backend, const CaseOptions& options) {
  limit_memory(options.max_memory_bytes);
  for (const model::TestCase& one : cases) {
    const CaseResult result = run_within_memory(one.folder, backend, options);
    const std::size_t size = std::min(result.reason.size(), kMaxReason);
    const Head head{result.verdict, static_cast<std::uint32_t>(size)};
    if (!write_all(out, &head, sizeof head) || !write_all(out, result.reason.data(), size)) return;
  }
}

/// A child at work. Threads: one owner.
class Worker {
 public:
  static Result<Worker> start(std::span<const model::TestCase> cases, std::string_view backend, const CaseOptions& options) {
    int in = -1;
    MORU_ASSIGN_OR_RETURN(Process process, Process::start_copy([&](int out) { work(out, cases, backend, options); }, &in));
    return Worker(std::move(process), in);
  }
  Worker(Worker&& other) noexcept : process_(std::move(other.process_)), in_(std::exchange(other.in_, -1)) {}
  Worker& operator=(Worker&&) = delete;
  ~Worker() {
    if (in_ >= 0) ::close(in_);
  }

  /// Errors: kDeadlineExceeded; kCancelled; kInternal for a child that ended, with how.
  Result<CaseResult> next(TimeNs timeout) {
    const TimeNs deadline = system_clock().steady_now() + timeout;
    Head head{};
    MORU_RETURN_IF_ERROR(read(&head, sizeof head, deadline));
    if (head.verdict > Verdict::kUnsupported) return fail(ErrorCode::kInternal, "found bytes that are no result");
    CaseResult result{head.verdict, std::string(std::min<std::size_t>(head.size, kMaxReason), '\0')};
    MORU_RETURN_IF_ERROR(read(result.reason.data(), result.reason.size(), deadline));
    return result;
  }

 private:
  Worker(Process process, int in) : process_(std::move(process)), in_(in) {}

  Status read(void* to, std::size_t size, TimeNs deadline) {
    auto* bytes = static_cast<char*>(to);
    while (size > 0) {
      if (stop_requested()) return fail(ErrorCode::kCancelled, "test cases: stopped");
      const TimeNs left = deadline - system_clock().steady_now();
      if (left <= 0) return fail(ErrorCode::kDeadlineExceeded, "");
      pollfd waiter{in_, POLLIN, 0};
      const int ready = ::poll(&waiter, 1, static_cast<int>(std::min(left, kSecond) / kMillisecond + 1));
      if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
      const ssize_t got = ::read(in_, bytes, size);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return fail(ErrorCode::kInternal, how_it_ended());
      bytes += got;
      size -= static_cast<std::size_t>(got);
    }
    return {};
  }

  /// Of a child whose end of the pipe is closed, so that it has ended or is about to.
  std::string how_it_ended() {
    const auto status = process_.wait_for(kSecond).value_or(ExitStatus{});
    if (status.signal != 0) return fmt::format("found the process ended by signal {} ({})", status.signal, ::strsignal(status.signal));
    return fmt::format("found the process ended with exit code {}", status.code);
  }

  Process process_;
  int in_;
};

Status check_backend(std::string_view name, int threads) {
  const BackendSpec* backend = find_backend(name);
  if (backend == nullptr) return fail(load_session(name, "").error());  // in the words of all commands
  const BackendInfo info = backend->info();
  if (!info.available) return fail(ErrorCode::kUnavailable, info.reason);
  if (threads < 1) return fail(ErrorCode::kInvalidArgument, fmt::format("backend {}: found {} threads, expected 1 or more", name, threads));
  return {};
}

}  // namespace

Result<std::vector<CaseResult>> run_cases(std::span<const model::TestCase> cases, std::string_view backend, const CasesOptions& options,
                                          const CaseObserver& observe) {
  MORU_RETURN_IF_ERROR(check_backend(backend, options.each.threads));
  std::vector<CaseResult> results;
  std::optional<Worker> worker;
  while (results.size() < cases.size()) {
    if (observe) observe(results.size(), cases[results.size()].name);
    if (!worker) {
      MORU_ASSIGN_OR_RETURN(Worker started, Worker::start(cases.subspan(results.size()), backend, options.each));
      worker.emplace(std::move(started));
    }
    auto result = worker->next(options.timeout);
    if (result) {
      results.push_back(std::move(*result));
      continue;
    }
    if (result.error().code == ErrorCode::kCancelled) return fail(std::move(result).error());
    const bool late = result.error().code == ErrorCode::kDeadlineExceeded;
    results.push_back({Verdict::kFail, late ? fmt::format("found no answer after {}, expected one", human_duration_ns(options.timeout))
                                            : result.error().message + ", expected an answer"});
    worker.reset();
  }
  return results;
}

}  // namespace moru::runtime
