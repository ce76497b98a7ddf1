// SPDX-License-Identifier: Apache-2.0
// A run allocates nothing and asks the kernel for nothing, or with several threads for no more than to park and to wake: it is run in a
// process that dies of a system call, with an allocator that counts.
#include <dlfcn.h>
#include <errno.h>
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>

#include "runtime/engine/context.h"
#include "runtime/engine/random_graph.h"

namespace {
std::atomic<std::int64_t> allocations = 0;
std::atomic<std::int64_t> parks = 0;
std::atomic<std::int64_t> wakes = 0;
using SystemCall = long (*)(long, ...);
const auto libc_syscall = reinterpret_cast<SystemCall>(dlsym(RTLD_NEXT, "syscall"));
}  // namespace

extern "C" {
void* __libc_malloc(size_t size);  // NOLINT(bugprone-reserved-identifier,readability-identifier-naming): the C library's own
[[gnu::visibility("default")]] void* malloc(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
// The engine's way into the kernel.
[[gnu::visibility("default")]] long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  if (number == __NR_futex) (arguments[1] == FUTEX_WAIT_PRIVATE ? parks : wakes).fetch_add(1, std::memory_order_relaxed);
  return libc_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
}

namespace moru::runtime::engine {
namespace {

/// From here on every system call of any thread but the end of the process, and `allowed`, kills it (SIGSYS).
bool forbid_system_calls(unsigned allowed = __NR_exit_group) {
  const sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(filter)), const_cast<sock_filter*>(filter)};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

constexpr int kAllocated = 2;
constexpr int kCannotForbid = 3;

/// Runs `work` in a child; its exit code, or 1000 + the signal it died of.
template <class F>
int in_child(F work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// In a child that may ask the kernel for nothing, and not for memory.
template <class F>
int quietly(F work) {
  return in_child([&] {
    if (!forbid_system_calls()) return kCannotForbid;
    const std::int64_t before = allocations.load();
    work();
    return allocations.load() == before ? 0 : kAllocated;
  });
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

constexpr int kManyParks = 4;
constexpr int kManyWakes = 5;
constexpr int kNeverParked = 6;

TEST(Quiet, SeveralThreadsParkAndWakeAndThatIsAll) {
  constexpr int kRuns = 50;
  for (const int threads : {2, 3, 6}) {
    SCOPED_TRACE(threads);
    const RandomNetwork network = random_floats(2);
    std::vector<const std::byte*> from;
    for (const model::Tensor& input : network.inputs) from.push_back(input.view().bytes.data());
    std::vector<std::byte> out(1 << 22);
    std::byte* const to[] = {out.data()};
    const auto plan = Plan::make(network.graph, kernels::kernels_for(kernels::machine_isas().back())).value();
    const int result = in_child([&] {
      const auto context = Context::make(plan, {.count = threads, .least_ns = 0}).value();
      if (context->threads() == 1) return kNeverParked;
      if (!forbid_system_calls(__NR_futex)) return kCannotForbid;
      const std::int64_t allocated = allocations.load();
      std::int64_t most = 0;  // wakes there can be: of each helper in each step that is cut
      for (const PlannedStep& step : plan->steps()) most += step.step->pieces() > 1 ? context->threads() : 0;
      for (int run = 0; run < kRuns; ++run) {
        context->run(from, to);
        // Now and then until they are parked.
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(run % 10 == 0 ? 2 : 0);
        while (std::chrono::steady_clock::now() < end) continue;
      }
      if (wakes.load() > most * kRuns) return kManyWakes;
      if (parks.load() == 0) return kNeverParked;
      // Who parks was awake: at the start, or since it was woken. So a woken worker takes two calls, and no more.
      if (parks.load() > wakes.load() + context->threads()) return kManyParks;
      _exit(allocations.load() == allocated ? 0 : kAllocated);
    });
    EXPECT_EQ(result, 0);
  }
}

TEST(Quiet, TheChildOfAForkHasNoHelpersAndNeedsNone) {
  const RandomNetwork network = random_levels(2);
  std::vector<const std::byte*> from;
  for (const model::Tensor& input : network.inputs) from.push_back(input.view().bytes.data());
  std::vector<std::byte> out(1 << 22);
  std::byte* const to[] = {out.data()};
  const auto plan = Plan::make(network.graph, kernels::kernels_for(kernels::machine_isas().back())).value();
  const auto context = Context::make(plan, {.count = 4, .least_ns = 0}).value();
  context->run(from, to);
  EXPECT_EQ(in_child([&] {
              for (int run = 0; run < 10; ++run) context->run(from, to);
              return 0;
            }),
            0);
}

}  // namespace
}  // namespace moru::runtime::engine
