// SPDX-License-Identifier: Apache-2.0
// Every ISA of this machine beside the scalar kernel, to the bit; and AMX's kernel with tiles of plain C++.
#include "runtime/kernels/gemm_u8/gemm_u8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "runtime/kernels/guarded.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/random_for_test.h"

namespace moru::kernels {

extern const GemmU8Kernel kGemmU8_tiles_for_test;
#ifdef __x86_64__
extern const GemmU8Kernel kGemmU8_amx_for_test;
#endif

namespace {

struct Checked {
  std::string name;
  const GemmU8Kernel* kernel;
};

std::vector<Checked> checked_kernels() {
  std::vector<Checked> all = {{"tiles_for_test", &kGemmU8_tiles_for_test}};
  for (const Isa isa : machine_isas()) {
    all.push_back({std::string(to_string(isa)), kernels_for(isa).gemm_u8});
#ifdef __x86_64__
    if (isa == Isa::kAvx512) all.push_back({"amx_for_test", &kGemmU8_amx_for_test});
#endif
  }
  return all;
}

/// What is drawn: how extreme the numbers are.
enum class Draw : std::uint8_t {
  kPlain,    ///< all levels, factors that use the range of results
  kExtreme,  ///< only ends of the types
  kHalves,   ///< factor 1/2 and small numbers: every second result lies on a half
  kHuge,     ///< results as far from 0 as they may be
};

struct Case {
  int m, n, k;
  int a_gap = 0;  ///< between rows
  int c_gap = 0;
  bool w_zero = false;
  Draw draw = Draw::kPlain;
};

std::string name_of(const Case& it) {
  return testing::PrintToString(std::vector<int>{it.m, it.n, it.k, it.a_gap, it.c_gap, it.w_zero ? 1 : 0, static_cast<int>(it.draw)});
}

class Problem {
 public:
  Problem(const Case& it, Rng& rng)
      : case_(it),
        a_(size((it.m - 1) * (it.k + it.a_gap) + it.k), kSlack),
        w_(size(it.n * it.k)),
        bias_(size(padded(it.n))),
        factor_(size(padded(it.n))),
        row_sums_(size(it.m)),
        w_zero_(size(padded(it.n))) {
    const bool extreme = it.draw == Draw::kExtreme;
    const bool halves = it.draw == Draw::kHalves;
    const float huge = 2e9F / static_cast<float>(100000 + 255 * 256 * it.k);
    for (auto& a : a_.all()) a = static_cast<std::uint8_t>(extreme ? between(rng, 0, 1) * 255 : between(rng, 0, halves ? 3 : 255));
    for (auto& w : w_)
      w = static_cast<std::int8_t>(extreme ? between(rng, 0, 1) * 255 - 128 : halves ? between(rng, -1, 1) : between(rng, -128, 127));
    for (int o = 0; o < it.n; ++o) {
      bias_[size(o)] = halves ? between(rng, -9, 9) : between(rng, -100000, 100000);
      factor_[size(o)] = it.draw == Draw::kHuge ? (o % 2 == 0 ? huge : -huge)
                         : halves               ? 0.5F
                                                : std::uniform_real_distribution<float>(1e-4F, 4e-3F)(rng);
      w_zero_[size(o)] = between(rng, -128, 127);
    }
    for (int i = 0; i < it.m; ++i) {
      const auto row = a_.all().subspan(size(i * (it.k + it.a_gap)), size(it.k));
      for (const auto a : row) row_sums_[size(i)] += a;
    }
    to_ = {factor_.data(), 0, 0, between(rng, 0, 255)};
    to_.low = static_cast<float>(between(rng, -to_.zero, 255 - to_.zero));
    to_.high = static_cast<float>(between(rng, static_cast<int>(to_.low), 255 - to_.zero));
    if (between(rng, 0, 2) > 0) to_.low = static_cast<float>(-to_.zero), to_.high = static_cast<float>(255 - to_.zero);
  }

  /// c with what is between its rows, which no kernel may touch.
  std::vector<std::uint8_t> run(const GemmU8Kernel& kernel) const {
    const Case& it = case_;
    Guarded<std::byte> packed((kernel.packed_bytes(it.n, 1, it.k) + 63) / 64 * 64, kSlack);
    kernel.pack(w_.data(), it.n, 1, it.k, packed.data());
    Guarded<std::uint8_t> c(size((it.m - 1) * (it.n + it.c_gap) + it.n));
    for (auto& level : c.all()) level = 0xA5;
    GemmU8 call{it.m,         it.n,    it.k,    a_.data(), it.k + it.a_gap, packed.data(),
                bias_.data(), nullptr, nullptr, c.data(),  it.n + it.c_gap, to_};
    if (it.w_zero) {
      call.row_sums = row_sums_.data();
      call.w_zero = w_zero_.data();
    }
    kernel.run(call);
    return {c.all().begin(), c.all().end()};
  }

 private:
  Case case_;
  Guarded<std::uint8_t> a_;
  std::vector<std::int8_t> w_;
  Guarded<std::int32_t> bias_;
  Guarded<float> factor_;
  Guarded<std::int32_t> row_sums_;
  Guarded<std::int32_t> w_zero_;
  Requantize to_;
};

void check(const Case& it, Rng& rng) {
  const Problem problem(it, rng);
  const auto expected = problem.run(*kernels_for(Isa::kScalar).gemm_u8);
  for (const auto& [name, kernel] : checked_kernels()) {
    ASSERT_EQ(problem.run(*kernel), expected) << name << " m, n, k, gaps, w_zero, draw: " << name_of(it);
  }
}

TEST(GemmU8, IsTheScalarKernelToTheBitForAllSizes) {
  Rng rng(1);
  for (int i = 0; i < 1500; ++i) {
    check({between(rng, 1, 40), between(rng, 1, 130), between(rng, 1, i % 10 == 0 ? 300 : 40), between(rng, 0, 1) * between(rng, 0, 9),
           between(rng, 0, 1) * between(rng, 0, 9), between(rng, 0, 3) == 0, static_cast<Draw>(between(rng, 0, 3))},
          rng);
    if (HasFatalFailure()) return;
  }
}

TEST(GemmU8, IsTheScalarKernelForEveryNumberOfRowsAndEveryNarrowWidth) {
  Rng rng(2);
  for (int m = 1; m <= 33; ++m) {
    for (const int n : {1, 2, 7, 8, 9, 12, 16, 17, 24, 32, 48, 64, 65, 80}) check({m, n, between(rng, 1, 30)}, rng);
    if (HasFatalFailure()) return;
  }
}

TEST(GemmU8, IsTheScalarKernelForLongSums) {
  Rng rng(3);
  for (const int k : {640, 1000, 2049, 4096, 9001}) {
    for (const int m : {1, 2, 7}) {
      for (const int n : {3, 16, 70}) check({m, n, k, 0, 0, k % 2 == 1, m == 2 ? Draw::kExtreme : Draw::kPlain}, rng);
    }
    if (HasFatalFailure()) return;
  }
}

TEST(GemmU8, RoundsHalvesToEven) {
  Rng rng(4);
  for (int i = 0; i < 50; ++i) check({between(rng, 1, 9), between(rng, 1, 70), between(rng, 1, 9), 0, 0, false, Draw::kHalves}, rng);
}

/// Rows that are pieces of several lines, against the same rows side by side.
TEST(GemmU8, LinesAreRowsOneBehindTheOther) {
  Rng rng(5);
  for (int round = 0; round < 400; ++round) {
    const int lines = between(rng, 1, 10);
    const int k = between(rng, 1, kMostOfLines / lines < 70 ? kMostOfLines / lines : 70);
    const int m = between(rng, 1, 40);
    const int n = between(rng, 1, 70);
    const int step = between(rng, 1, 9);
    const auto size = [](int count) { return static_cast<std::size_t>(count); };
    const int times = between(rng, 1, 3);
    const int line_step = between(rng, 1, 2);
    std::vector<std::uint8_t> image(size(lines * 100 + m * step + k) + kSlack);
    for (auto& a : image) a = static_cast<std::uint8_t>(between(rng, 0, 255));
    std::vector<const std::uint8_t*> starts;
    for (int line = 0; line < lines + (times - 1) * line_step; ++line) starts.push_back(image.data() + between(rng, 0, lines * 100));
    std::vector<std::uint8_t> rows(size(times * m * lines * k) + kSlack);
    for (int i = 0; i < times * m; ++i) {
      for (int line = 0; line < lines; ++line) {
        std::copy_n(starts[size(i / m * line_step + line)] + i % m * step, k, rows.data() + (i * lines + line) * k);
      }
    }
    std::vector<std::int8_t> w(size(n * lines * k));
    for (auto& x : w) x = static_cast<std::int8_t>(between(rng, -128, 127));
    const std::vector<std::int32_t> bias(size(padded(n)), between(rng, -900, 900));
    const std::vector<float> factor(size(padded(n)), 1e-3F);
    const auto run = [&](const GemmU8Kernel& kernel, bool in_lines) {
      Guarded<std::byte> packed((kernel.packed_bytes(n, in_lines ? lines : 1, in_lines ? k : lines * k) + 63) / 64 * 64, kSlack);
      kernel.pack(w.data(), n, in_lines ? lines : 1, in_lines ? k : lines * k, packed.data());
      Guarded<std::uint8_t> c(size(times * m * n));
      GemmU8 call{times * m,   n,       lines * k, rows.data(), lines * k, packed.data(),
                  bias.data(), nullptr, nullptr,   c.data(),    n,         {factor.data(), -128, 127, 128}};
      if (in_lines) {
        call.m = m;
        call.times = times;
        call.line_step = line_step;
        call.k = k;
        call.a = nullptr;
        call.a_stride = step;
        call.lines = starts.data();
        call.line_count = lines;
      }
      kernel.run(call);
      return std::vector<std::uint8_t>(c.all().begin(), c.all().end());
    };
    const auto expected = run(*kernels_for(Isa::kScalar).gemm_u8, false);
    for (const auto& [name, kernel] : checked_kernels()) {
      ASSERT_EQ(run(*kernel, true), expected) << name << " m, n, lines, k, step: "
                                              << testing::PrintToString(std::vector<int>{m, n, lines, k, step});
    }
  }
}

}  // namespace
}  // namespace moru::kernels
