// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/trial.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace moru::kernels {

extern const GemmU8Kernel kGemmU8_scalar;

namespace {

/// Numbers that look like none, the same each time.
class Numbers {
 public:
  std::uint8_t next() {
    state_ = state_ * 1664525U + 1013904223U;
    return static_cast<std::uint8_t>(state_ >> 24U);
  }

 private:
  std::uint32_t state_ = 1;
};

struct Form {
  int m, n, k;
  int lines = 1;
  int times = 1;
};

/// Room behind what is read and written, as all memory of kernels has.
std::size_t with_slack(int bytes) { return static_cast<std::size_t>(bytes) + kSlack; }

using Memory = std::unique_ptr<std::byte, decltype(&std::free)>;
Memory packed(const GemmU8Kernel& kernel, const Form& it, const std::vector<std::int8_t>& w) {
  constexpr std::size_t kLine = 64;
  const std::size_t bytes = (kernel.packed_bytes(it.n, it.lines, it.k) + kSlack + kLine - 1) / kLine * kLine;
  Memory memory(static_cast<std::byte*>(std::aligned_alloc(kLine, bytes)), std::free);
  if (!memory) return memory;
  std::memset(memory.get(), 0, bytes);
  kernel.pack(w.data(), it.n, it.lines, it.k, memory.get());
  return memory;
}

/// Both kernels on the same numbers.
bool is_right(const GemmU8Kernel& kernel, const Form& it) {
  Numbers numbers;
  std::vector<std::uint8_t> a(with_slack((it.m + it.times + it.lines) * it.k));
  std::vector<std::int8_t> w(static_cast<std::size_t>(it.n * it.lines * it.k));
  for (auto& value : a) value = numbers.next();
  for (auto& value : w) value = static_cast<std::int8_t>(numbers.next());
  std::vector<std::int32_t> bias(static_cast<std::size_t>(padded(it.n)), 1000);
  std::vector<float> factor(static_cast<std::size_t>(padded(it.n)), 1e-3F);
  std::vector<const std::uint8_t*> lines;
  for (int i = 0; i < it.lines + it.times; ++i) lines.push_back(a.data() + std::ptrdiff_t{i} * it.k);
  GemmU8 call;
  call.m = it.m;
  call.n = it.n;
  call.k = it.k;
  call.a = a.data();
  call.a_stride = it.k;
  call.bias = bias.data();
  call.c_stride = it.n;
  call.to = {.factor = factor.data(), .low = -128, .high = 127, .zero = 128};
  if (it.lines > 1) {
    call.lines = lines.data();
    call.line_count = it.lines;
    call.times = it.times;
    call.line_step = 1;
  }
  std::array<std::vector<std::uint8_t>, 2> made;
  const std::array<const GemmU8Kernel*, 2> kernels = {&kernel, &kGemmU8_scalar};
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    made[i].assign(with_slack(it.m * it.times * it.n), 0);
    const Memory weights = packed(*kernels[i], it, w);
    if (!weights) return false;
    call.weights = weights.get();
    call.c = made[i].data();
    kernels[i]->run(call);
  }
  const auto bytes = static_cast<std::size_t>(it.m) * static_cast<std::size_t>(it.times) * static_cast<std::size_t>(it.n);
  return std::memcmp(made[0].data(), made[1].data(), bytes) == 0;
}

}  // namespace

bool is_right(const GemmU8Kernel& kernel) {
  // Full tiles and rests of them in each direction; rows of lines, and several products at once.
  constexpr std::array kForms = {Form{64, 64, 128}, Form{37, 40, 100}, Form{5, 100, 300}, Form{24, 24, 96, 3, 2}};
  for (const Form& form : kForms) {
    if (!is_right(kernel, form)) return false;
  }
  return true;
}

bool passes_in_child(bool (*trial)()) {
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) {
    // The host's handlers are not made for this.
    for (const int signal : {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP}) ::signal(signal, SIG_DFL);
    ::_exit(trial() ? 0 : 1);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) != child) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace moru::kernels
