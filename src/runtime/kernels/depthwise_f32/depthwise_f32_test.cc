// SPDX-License-Identifier: Apache-2.0
// Every ISA of this machine beside sums in double; the bound is that of gemm_f32_test.
#include "runtime/kernels/depthwise_f32/depthwise_f32.h"

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
  int channels, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, in_height, in_width, out_height,
      out_width;
  bool clamped = false;
};

/// Any that has outputs: also those whose first taps, whose last, or whose all lie outside of the image.
Case random_case(Rng& rng) {
  Case it{};
  it.channels = between(rng, 0, 2) == 0 ? 1 << between(rng, 0, 5) : between(rng, 1, 70);
  it.kernel_h = between(rng, 0, 1) == 0 ? 3 : between(rng, 1, 5);
  it.kernel_w = between(rng, 0, 1) == 0 ? it.kernel_h : between(rng, 1, 5);
  it.stride_h = between(rng, 1, 3);
  it.stride_w = between(rng, 0, 1) == 0 ? 1 : between(rng, 1, 3);
  it.dilation_h = between(rng, 0, 2) == 0 ? 2 : 1;
  it.dilation_w = between(rng, 0, 2) == 0 ? 2 : 1;
  it.pad_top = between(rng, 0, it.kernel_h + 1);
  it.pad_left = between(rng, 0, it.kernel_w + 1);
  it.in_height = between(rng, 1, 7);
  it.in_width = between(rng, 1, 30);
  it.out_height = between(rng, 1, (it.in_height + it.pad_top) / it.stride_h + 1);
  it.out_width = between(rng, 1, (it.in_width + it.pad_left) / it.stride_w + 1);
  it.clamped = between(rng, 0, 1) == 1;
  return it;
}

struct Sum {
  double value;
  double bound;
};

class Problem {
 public:
  Problem(const Case& it, Rng& rng)
      : case_(it),
        in_(size(it.in_height * it.in_width * it.channels), kSlack),
        w_(size(it.kernel_h * it.kernel_w * padded(it.channels))),
        bias_(size(padded(it.channels))) {
    std::uniform_real_distribution<float> number(-1, 1);
    for (auto& x : in_.all()) x = number(rng);
    for (const auto& entries : {w_.all(), bias_.all()}) {
      for (std::size_t i = 0; i < entries.size(); ++i) {
        const std::size_t c = i % size(padded(it.channels));
        entries[i] = c < size(it.channels) ? number(rng) : entries[i - size(it.channels)];
      }
    }
  }

  Sum sum_of(int y, int x, int c) const {
    double sum = bias_[size(c)];
    double magnitude = std::abs(sum);
    for (int i = 0; i < case_.kernel_h; ++i) {
      for (int j = 0; j < case_.kernel_w; ++j) {
        const int row = y * case_.stride_h - case_.pad_top + i * case_.dilation_h;
        const int column = x * case_.stride_w - case_.pad_left + j * case_.dilation_w;
        if (row < 0 || row >= case_.in_height || column < 0 || column >= case_.in_width) continue;
        const double product = double{in_[size((row * case_.in_width + column) * case_.channels + c)]} *
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
      Guarded<float> out(size(kBefore + it.out_height * it.out_width * it.channels));
      kernels_for(isa).depthwise_f32->run({it.channels, it.kernel_h, it.kernel_w, it.stride_h, it.stride_w, it.dilation_h, it.dilation_w,
                                           it.pad_top, it.pad_left, it.in_height, it.in_width, it.out_height, it.out_width, in_.data(),
                                           w_.data(), bias_.data(), out.data() + kBefore, low, high});
      for (int i = 0; i < kBefore; ++i) ASSERT_EQ(out[size(i)], 0);
      for (int i = 0; i < it.out_height * it.out_width * it.channels; ++i) {
        const Sum sum = sum_of(i / it.channels / it.out_width, i / it.channels % it.out_width, i % it.channels);
        ASSERT_NEAR(out[size(kBefore + i)], std::clamp(sum.value, double{low}, double{high}), sum.bound)
            << to_string(isa) << " element " << i << " of channels, kernel, stride, dilation, pad, in, out: "
            << testing::PrintToString(std::vector<int>{it.channels, it.kernel_h, it.kernel_w, it.stride_h, it.stride_w, it.dilation_h,
                                                       it.dilation_w, it.pad_top, it.pad_left, it.in_height, it.in_width, it.out_height,
                                                       it.out_width});
      }
    }
  }

 private:
  Case case_;
  Guarded<float> in_;
  Guarded<float> w_;
  Guarded<float> bias_;
};

TEST(DepthwiseF32, IsNearTheSumForAllSizes) {
  Rng rng(1);
  for (int i = 0; i < 3000; ++i) {
    Problem(random_case(rng), rng).check();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace moru::kernels
