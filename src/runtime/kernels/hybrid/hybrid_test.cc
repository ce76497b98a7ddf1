// SPDX-License-Identifier: Apache-2.0
// Every ISA of this machine beside the same arithmetic, to the bit.
#include "runtime/kernels/hybrid/hybrid.h"

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

/// Level `i`, less what zero is.
int level_at(const HybridKernel& kernel, const std::byte* levels, std::size_t i) {
  if (kernel.level_bytes == 2) return reinterpret_cast<const std::int16_t*>(levels)[i] - kernel.zero;
  if (kernel.zero != 0) return static_cast<int>(levels[i]) - kernel.zero;
  return reinterpret_cast<const std::int8_t*>(levels)[i];
}

float range_of(std::span<const float> x) {
  float range = 0;
  for (const float value : x) range = std::max(range, std::abs(value));
  return range;
}

TEST(Hybrid, LevelsAreRoundedHalvesAwayFromZero) {
  Rng rng(1);
  std::normal_distribution<float> number;
  for (int count = 1; count <= 150; ++count) {
    Guarded<float> x(size(count));
    for (float& value : x.all()) value = number(rng);
    if (count > 5) x[3] = 0.5F * (x[4] = 127);  // a tie, at a step of 1 or less
    const float range = range_of(x.all());
    const float inverse = 127 / range;
    for (const Isa isa : machine_isas()) {
      const HybridKernel& kernel = *kernels_for(isa).hybrid;
      EXPECT_EQ(kernel.largest(x.data(), size(count)), range);
      Guarded<std::byte> levels(size(count * kernel.level_bytes));
      kernel.quantize(x.data(), levels.data(), size(count), inverse);
      for (std::size_t i = 0; i < size(count); ++i) {
        const float magnitude = std::floor(std::abs(x[i]) * inverse + 0x1.fffffep-2F);
        ASSERT_EQ(level_at(kernel, levels.data(), i), static_cast<int>(std::copysign(std::min(magnitude, 127.0F), x[i])))
            << to_string(isa) << " " << x[i] << " of " << range;
      }
    }
  }
}

void check(int m, int n, int k, bool clamped, Rng& rng) {
  std::uniform_real_distribution<float> number(-1, 1);
  const bool extreme = between(rng, 0, 3) == 0;
  std::vector<float> x(size(m * k));
  std::vector<std::int8_t> w(size(n * k));
  for (float& value : x) value = extreme ? std::copysign(1.0F, number(rng)) : number(rng);
  for (auto& value : w) value = static_cast<std::int8_t>(extreme ? (between(rng, 0, 1) == 0 ? -128 : 127) : between(rng, -128, 127));
  Guarded<float> scale(size(padded(n)));
  Guarded<float> bias(size(padded(n)));
  for (float& value : scale.all()) value = number(rng);
  for (float& value : bias.all()) value = number(rng);
  const float step = number(rng);
  const float inf = std::numeric_limits<float>::infinity();
  const float low = clamped ? 0 : -inf;
  const float high = clamped ? 6 : inf;
  for (const Isa isa : machine_isas()) {
    const HybridKernel& kernel = *kernels_for(isa).hybrid;
    const int unit = 4 / kernel.level_bytes;
    const int stride = (k + unit - 1) / unit * unit;
    Guarded<std::byte> a(size(m * stride * kernel.level_bytes), kSlack);
    const float inverse = 127 / range_of(x);
    for (int i = 0; i < m; ++i) kernel.quantize(x.data() + i * k, a.data() + i * stride * kernel.level_bytes, size(k), inverse);
    Guarded<std::byte> packed((kernel.packed_bytes(n, k) + 63) / 64 * 64);
    kernel.pack(w.data(), n, k, packed.data());
    Guarded<float> c(size(m * n));
    kernel.run({m, n, k, a.data(), stride, packed.data(), scale.data(), bias.data(), step, c.data(), n, low, high});
    for (int i = 0; i < m; ++i) {
      for (int o = 0; o < n; ++o) {
        std::int32_t sum = 0;
        for (int j = 0; j < k; ++j) sum += level_at(kernel, a.data(), size(i * stride + j)) * w[size(o * k + j)];
        const float real = static_cast<float>(sum) * scale[size(o)] * step + bias[size(o)];
        ASSERT_EQ(c[size(i * n + o)], std::clamp(real, low, high)) << to_string(isa) << " " << m << "x" << n << "x" << k;
      }
    }
  }
}

TEST(Hybrid, ProductsAreThoseOfIntegers) {
  Rng rng(2);
  for (int i = 0; i < 400; ++i) {
    check(between(rng, 1, 40), between(rng, 1, 100), between(rng, 1, i % 10 == 0 ? 300 : 40), between(rng, 0, 1) == 1, rng);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace moru::kernels
