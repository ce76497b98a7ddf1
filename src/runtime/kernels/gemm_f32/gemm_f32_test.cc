// SPDX-License-Identifier: Apache-2.0
// Every ISA of this machine beside sums in double. Of a sum of k products in floats, added up in any order, each product takes part in at
// most k roundings of half an epsilon, and the bias and the residual are two terms more.
#include "runtime/kernels/gemm_f32/gemm_f32.h"

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
  int m, n, k;
  int gap = 0;  ///< between rows
  bool residual = false;
  bool clamped = false;
};

void check(const Case& it, Rng& rng) {
  std::uniform_real_distribution<float> number(-1, 1);
  const int a_stride = it.k + it.gap;
  const int c_stride = it.n + it.gap;
  Guarded<float> a(size((it.m - 1) * a_stride + it.k));
  Guarded<float> residual(size((it.m - 1) * c_stride + it.n));
  Guarded<float> bias(size(padded(it.n)));
  std::vector<float> w(size(it.n * it.k));
  for (auto& x : a.all()) x = number(rng);
  for (auto& x : residual.all()) x = number(rng);
  for (auto& x : bias.all().first(size(it.n))) x = number(rng);
  for (auto& x : w) x = number(rng);
  const float inf = std::numeric_limits<float>::infinity();
  const float low = it.clamped ? -0.5F : -inf;
  const float high = it.clamped ? 0.7F : inf;
  for (const Isa isa : machine_isas()) {
    const auto& kernel = *kernels_for(isa).gemm_f32;
    Guarded<std::byte> packed((kernel.packed_bytes(it.n, 1, it.k) + 63) / 64 * 64);
    kernel.pack(w.data(), it.n, 1, it.k, packed.data());
    Guarded<float> c(size((it.m - 1) * c_stride + it.n));
    for (auto& x : c.all()) x = 1e9F;
    kernel.run({it.m, it.n, it.k, a.data(), a_stride, packed.data(), bias.data(), it.residual ? residual.data() : nullptr, c_stride,
                c.data(), c_stride, low, high});
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
          const double product = double{a[size(i * a_stride + k)]} * w[size(o * it.k + k)];
          sum += product;
          magnitude += std::abs(product);
        }
        const double bound = (it.k + 3) * magnitude * std::numeric_limits<float>::epsilon() / 2;
        ASSERT_NEAR(found, std::clamp(sum, double{low}, double{high}), bound)
            << to_string(isa) << " row " << i << " output " << o << " of m, n, k, gap, residual, clamped: "
            << testing::PrintToString(std::vector<int>{it.m, it.n, it.k, it.gap, it.residual ? 1 : 0, it.clamped ? 1 : 0});
      }
    }
  }
}

TEST(GemmF32, IsNearTheSumForAllSizes) {
  Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    check({between(rng, 1, 40), between(rng, 1, 130), between(rng, 1, i % 10 == 0 ? 300 : 40), between(rng, 0, 1) * between(rng, 0, 9),
           between(rng, 0, 1) == 1, between(rng, 0, 1) == 1},
          rng);
    if (HasFatalFailure()) return;
  }
}

TEST(GemmF32, IsNearTheSumForEveryNumberOfRows) {
  Rng rng(2);
  for (int m = 1; m <= 33; ++m) {
    for (const int n : {1, 8, 16, 17, 24, 32, 48, 64, 65}) check({m, n, between(rng, 1, 20)}, rng);
    if (HasFatalFailure()) return;
  }
}

TEST(GemmF32, LinesAreRowsOneBehindTheOther) {
  Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    const int lines = between(rng, 2, 6);
    const int k = between(rng, 1, 20);
    const int m = between(rng, 1, 40);
    const int n = between(rng, 1, 40);
    std::vector<float> image(size(lines * 10 + m + k) + kSlack / sizeof(float));
    for (auto& x : image) x = static_cast<float>(between(rng, -8, 8));  // sums are whole numbers: the same in any order
    std::vector<const float*> starts;
    for (int line = 0; line < lines; ++line) starts.push_back(image.data() + between(rng, 0, lines * 10));
    std::vector<float> w(size(n * lines * k));
    for (auto& x : w) x = static_cast<float>(between(rng, -8, 8));
    const std::vector<float> bias(size(padded(n)), 3);
    for (const Isa isa : machine_isas()) {
      const auto& kernel = *kernels_for(isa).gemm_f32;
      Guarded<std::byte> packed((kernel.packed_bytes(n, lines, k) + 63) / 64 * 64);
      kernel.pack(w.data(), n, lines, k, packed.data());
      Guarded<float> c(size(m * n));
      kernel.run({m, n, k, nullptr, 1, packed.data(), bias.data(), nullptr, 0, c.data(), n, -1e9F, 1e9F, starts.data(), lines});
      for (int i = 0; i < m; ++i) {
        for (int o = 0; o < n; ++o) {
          float sum = 3;
          for (int j = 0; j < lines * k; ++j) sum += starts[size(j / k)][i + j % k] * w[size(o * lines * k + j)];
          ASSERT_EQ(c[size(i * n + o)], sum) << to_string(isa) << " row " << i << " output " << o;
        }
      }
    }
  }
}

TEST(GemmF32, PacksAMatrixThatLiesInAnyWay) {
  Rng rng(4);
  for (int round = 0; round < 100; ++round) {
    const int n = between(rng, 1, 70);
    const int k = between(rng, 1, 40);
    std::vector<float> rows(size(n * k));
    for (auto& x : rows) x = static_cast<float>(between(rng, -99, 99));
    std::vector<float> columns(rows.size());
    for (int o = 0; o < n; ++o) {
      for (int i = 0; i < k; ++i) columns[size(i * n + o)] = rows[size(o * k + i)];
    }
    for (const Isa isa : machine_isas()) {
      const auto& kernel = *kernels_for(isa).gemm_f32;
      const std::size_t bytes = (kernel.packed_bytes(n, 1, k) + 63) / 64 * 64;
      std::vector<std::byte> expected(bytes);
      std::vector<std::byte> from_rows(bytes);
      std::vector<std::byte> from_columns(bytes);
      kernel.pack(rows.data(), n, 1, k, expected.data());
      kernel.pack_strided(rows.data(), k, 1, n, k, from_rows.data());
      kernel.pack_strided(columns.data(), 1, n, n, k, from_columns.data());
      ASSERT_EQ(from_rows, expected) << to_string(isa) << " " << n << " " << k;
      ASSERT_EQ(from_columns, expected) << to_string(isa) << " " << n << " " << k;
    }
  }
}

TEST(GemmF32, TakesItsResidualFromC) {
  for (const Isa isa : machine_isas()) {
    const auto& kernel = *kernels_for(isa).gemm_f32;
    const std::vector<float> w(20, 1);
    Guarded<std::byte> packed((kernel.packed_bytes(20, 1, 1) + 63) / 64 * 64);
    kernel.pack(w.data(), 20, 1, 1, packed.data());
    const std::vector<float> a = {1, 2, 3, 4, 5, 6, 7, 8};
    const std::vector<float> bias(size(padded(20)), 10);
    std::vector<float> c(160, 100);
    kernel.run({8, 20, 1, a.data(), 1, packed.data(), bias.data(), c.data(), 20, c.data(), 20, 0, 116});
    for (int i = 0; i < 160; ++i) ASSERT_EQ(c[size(i)], std::min(111 + i / 20, 116)) << to_string(isa) << " " << i;
  }
}

}  // namespace
}  // namespace moru::kernels
