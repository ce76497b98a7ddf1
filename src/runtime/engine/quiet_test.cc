// SPDX-License-Identifier: Apache-2.0
// A run allocates nothing and asks the kernel for nothing: it is run in a process that dies of a system call, with an allocator that
// counts.
#include <errno.h>
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>

#include "runtime/engine/plan.h"
#include "runtime/engine/random_graph.h"

namespace {
std::atomic<std::int64_t> allocations = 0;
}  // namespace

extern "C" {
void* __libc_malloc(size_t size);  // NOLINT(bugprone-reserved-identifier,readability-identifier-naming): the C library's own
[[gnu::visibility("default")]] void* malloc(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
}

namespace moru::runtime::engine {
namespace {

/// From here on every system call but the end of the process kills it (SIGSYS).
bool forbid_system_calls() {
  const sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(filter)), const_cast<sock_filter*>(filter)};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

constexpr int kAllocated = 2;
constexpr int kCannotForbid = 3;

/// Runs `work` in a child that may ask the kernel for nothing; its exit code, or 1000 + the signal it died of.
template <class F>
int quietly(F work) {
  const pid_t child = fork();
  if (child == 0) {
    if (!forbid_system_calls()) _exit(kCannotForbid);
    const std::int64_t before = allocations.load();
    work();
    _exit(allocations.load() == before ? 0 : kAllocated);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(Quiet, TheTestSeesSystemCallsAndAllocations) {
  EXPECT_EQ(quietly([] { getppid(); }), 1000 + SIGSYS);
  void* (*volatile allocate)(std::size_t) = std::malloc;  // through a pointer, or the compiler leaves it out
  EXPECT_EQ(quietly([&] { allocate(16); }), kAllocated);
}

TEST(Quiet, ARunAllocatesNothingAndCallsNothing) {
  for (const kernels::Isa isa : kernels::machine_isas()) {
    for (std::uint64_t seed = 1; seed <= 120; ++seed) {
      SCOPED_TRACE(seed);
      constexpr std::array kMakers = {random_levels, random_floats, random_values, random_sequences};
      const RandomNetwork network = kMakers[seed % kMakers.size()](seed);
      const auto context = Context::make(Plan::make(network.graph, kernels::kernels_for(isa)).value()).value();
      std::vector<const std::byte*> from;
      for (const model::Tensor& input : network.inputs) from.push_back(input.view().bytes.data());
      constexpr std::size_t kMost = 1 << 22;
      std::vector<std::byte> out(kMost * network.graph.outputs.size());
      std::vector<std::byte*> to;
      for (std::size_t i = 0; i < network.graph.outputs.size(); ++i) to.push_back(out.data() + i * kMost);
      ASSERT_EQ(quietly([&] { context->run(from, to); }), 0);
    }
  }
}

}  // namespace
}  // namespace moru::runtime::engine
