// SPDX-License-Identifier: Apache-2.0
// Every ISA of this machine beside sums in double; the bound is that of gemm_f32_test.
#include "runtime/kernels/depthwise_f32/depthwise_f32.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "runtime/kernels/guarded.h"
#include "runtime/kernels/kernels.h"

namespace moru::kernels {
namespace {

using Rng = std::mt19937;

int between(Rng& rng, int low, int high) { return std::uniform_int_distribution<int>(low, high)(rng); }

std::size_t size(int count) { return static_cast<std::size_t>(count); }

struct Case {
  int channels, kernel_h, kernel_w, stride, dilation, out_width;
  bool clamped = false;
};

struct Sum {
  double value;
  double bound;
};

class Problem {
 public:
  Problem(const Case& it, Rng& rng)
      : case_(it), w_(size(it.kernel_h * it.kernel_w * padded(it.channels))), bias_(size(padded(it.channels))) {
    std::uniform_real_distribution<float> number(-1, 1);
    const int width = (it.out_width - 1) * it.stride + (it.kernel_w - 1) * it.dilation + 1;
    for (int i = 0; i < it.kernel_h; ++i) {
      input_.push_back(std::make_unique<Guarded<float>>(size(width * it.channels), kSlack));
      for (auto& x : input_.back()->all()) x = number(rng);
      rows_.push_back(input_.back()->data());
    }
    for (auto& w : w_.all()) w = number(rng);
    for (auto& b : bias_.all()) b = number(rng);
  }

  Sum sum_of(int x, int c) const {
    double sum = bias_[size(c)];
    double magnitude = std::abs(sum);
    for (int i = 0; i < case_.kernel_h; ++i) {
      for (int j = 0; j < case_.kernel_w; ++j) {
        const double product = double{rows_[size(i)][(x * case_.stride + j * case_.dilation) * case_.channels + c]} *
                               w_[size((i * case_.kernel_w + j) * padded(case_.channels) + c)];
        sum += product;
        magnitude += std::abs(product);
      }
    }
    return {sum, (case_.kernel_h * case_.kernel_w + 2) * magnitude * std::numeric_limits<float>::epsilon() / 2};
  }

  void check() const {
    const Case& it = case_;
    const float inf = std::numeric_limits<float>::infinity();
    const float low = it.clamped ? 0 : -inf;
    const float high = it.clamped ? 0.7F : inf;
    for (const Isa isa : machine_isas()) {
      constexpr int kBefore = 16;  // which no kernel may touch
      Guarded<float> out(size(kBefore + it.out_width * it.channels));
      kernels_for(isa).depthwise_f32->run({it.channels, it.kernel_h, it.kernel_w, it.stride, it.dilation, it.out_width, rows_.data(),
                                           w_.data(), bias_.data(), out.data() + kBefore, low, high});
      for (int i = 0; i < kBefore; ++i) ASSERT_EQ(out[size(i)], 0);
      for (int i = 0; i < it.out_width * it.channels; ++i) {
        const Sum sum = sum_of(i / it.channels, i % it.channels);
        ASSERT_NEAR(out[size(kBefore + i)], std::clamp(sum.value, double{low}, double{high}), sum.bound)
            << to_string(isa) << " element " << i << " of channels, kernel, stride, dilation, out_width: "
            << testing::PrintToString(std::vector<int>{it.channels, it.kernel_h, it.kernel_w, it.stride, it.dilation, it.out_width});
      }
    }
  }

 private:
  Case case_;
  std::vector<std::unique_ptr<Guarded<float>>> input_;
  std::vector<const float*> rows_;
  Guarded<float> w_;
  Guarded<float> bias_;
};

TEST(DepthwiseF32, IsNearTheSumForAllSizes) {
  Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    const int kernel = between(rng, 0, 1) == 0 ? 3 : between(rng, 1, 5);
    Problem({between(rng, 1, 70), kernel, between(rng, 0, 1) == 0 ? kernel : between(rng, 1, 5), between(rng, 1, 3), between(rng, 1, 2),
             between(rng, 1, 20), between(rng, 0, 1) == 1},
            rng)
        .check();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace moru::kernels
