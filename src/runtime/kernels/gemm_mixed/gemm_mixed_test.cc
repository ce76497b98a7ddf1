// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gemm_mixed/gemm_mixed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "runtime/kernels/guarded.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/random_for_test.h"

namespace moru::kernels {
namespace {

struct Case {
  int m, n, k, bits, block;
  int gap = 0;  ///< between rows
  bool residual = false;
  bool clamped = false;
};

void check(const Case& it, Rng& rng) {
  std::uniform_real_distribution<float> number(-1, 1);
  const int a_stride = it.k + it.gap;
  const int c_stride = it.n + it.gap;
  const int blocks = (it.k + it.block - 1) / it.block;
  const int most = it.bits == 8 ? 127 : 7;
  Guarded<float> a(size((it.m - 1) * a_stride + it.k));
  Guarded<float> residual(size((it.m - 1) * c_stride + it.n));
  Guarded<float> bias(size(padded(it.n)));
  Guarded<float> scale(size(blocks * padded(it.n)));
  Guarded<float> zero(size(blocks * padded(it.n)));
  std::vector<std::int8_t> w(size(it.n * it.k));
  for (auto* numbers : {&a, &residual, &bias, &scale}) {
    for (auto& x : numbers->all()) x = number(rng);
  }
  for (auto& x : zero.all()) x = static_cast<float>(between(rng, -most - 1, most));
  for (auto& x : w) x = static_cast<std::int8_t>(between(rng, -most - 1, most));
  const float inf = std::numeric_limits<float>::infinity();
  const float low = it.clamped ? -0.5F : -inf;
  const float high = it.clamped ? 0.7F : inf;
  for (const Isa isa : machine_isas()) {
    const auto& kernel = *kernels_for(isa).gemm_mixed;
    Guarded<std::byte> packed((kernel.packed_bytes(it.n, it.k, it.bits) + 63) / 64 * 64);
    kernel.pack(w.data(), it.n, it.k, it.bits, packed.data());
    Guarded<float> c(size((it.m - 1) * c_stride + it.n));
    for (auto& x : c.all()) x = 1e9F;
    kernel.run({it.m, it.n, it.k, it.bits, it.block, a.data(), a_stride, packed.data(), scale.data(), zero.data(), bias.data(),
                it.residual ? residual.data() : nullptr, c_stride, c.data(), c_stride, low, high});
    for (int i = 0; i < it.m; ++i) {
      for (int o = 0; o < c_stride && i * c_stride + o < static_cast<int>(c.all().size()); ++o) {
        const float found = c[size(i * c_stride + o)];
        if (o >= it.n) {
          ASSERT_EQ(found, 1e9F) << to_string(isa) << ": behind row " << i;
          continue;
        }
        double sum = bias[size(o)] + (it.residual ? double{residual[size(i * c_stride + o)]} : 0);
        double magnitude = std::abs(bias[size(o)]) + 1;
        for (int k = 0; k < it.k; ++k) {
          const std::size_t at = size(k / it.block * padded(it.n) + o);
          const double factor = double{a[size(i * a_stride + k)]} * double{scale[at]};
          sum += factor * (w[size(o * it.k + k)] - double{zero[at]});
          magnitude += std::abs(factor) * (std::abs(static_cast<double>(w[size(o * it.k + k)])) +
                                           std::abs(double{zero[at]}));  // a kernel may sum both on their own
        }
        const double bound = (it.k + 4) * magnitude * std::numeric_limits<float>::epsilon() / 2;
        ASSERT_NEAR(found, std::clamp(sum, double{low}, double{high}), bound)
            << to_string(isa) << " row " << i << " output " << o
            << " of m, n, k, bits, block, gap: " << testing::PrintToString(std::vector<int>{it.m, it.n, it.k, it.bits, it.block, it.gap});
      }
    }
  }
}

TEST(GemmMixed, IsNearTheSumForAllSizes) {
  Rng rng(1);
  for (int i = 0; i < 400; ++i) {
    const int k = between(rng, 1, i % 10 == 0 ? 300 : 40);
    const int bits = between(rng, 0, 1) == 0 ? 8 : 4;
    const int block = between(rng, 0, 1) == 0 ? k + k % 2 : 2 * between(rng, 1, 20);
    check({between(rng, 1, 10), between(rng, 1, 150), k, bits, block, between(rng, 0, 1) * between(rng, 0, 9), between(rng, 0, 1) == 1,
           between(rng, 0, 1) == 1},
          rng);
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace moru::kernels
