// SPDX-License-Identifier: Apache-2.0
// Every ISA of this machine beside the scalar kernel, to the bit.
#include "runtime/kernels/depthwise_u8/depthwise_u8.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "runtime/kernels/guarded.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/random_for_test.h"

namespace moru::kernels {
namespace {

struct Case {
  int channels, kernel_h, kernel_w, stride, dilation, out_width;
  bool w_zero = false;
  bool extreme = false;  ///< only ends of the types, results on halves or far outside of int32
  int out_height = 1;
  int row_stride = 1;
};

std::string name_of(const Case& it) {
  return testing::PrintToString(
      std::vector<int>{it.channels, it.kernel_h, it.kernel_w, it.stride, it.dilation, it.out_width, it.w_zero ? 1 : 0, it.extreme ? 1 : 0});
}

class Problem {
 public:
  Problem(const Case& it, Rng& rng)
      : case_(it),
        w_(size(it.kernel_h * it.kernel_w * it.channels)),
        bias_(size(padded(it.channels))),
        factor_(size(padded(it.channels))),
        w_zero_(size(padded(it.channels))) {
    const int width = (it.out_width - 1) * it.stride + (it.kernel_w - 1) * it.dilation + 1;
    for (int i = 0; i < (it.out_height - 1) * it.row_stride + it.kernel_h; ++i) {
      input_.push_back(std::make_unique<Guarded<std::uint8_t>>(size(width * it.channels), kSlack));
      for (auto& x : input_.back()->all()) x = static_cast<std::uint8_t>(it.extreme ? between(rng, 0, 1) * 255 : between(rng, 0, 255));
      rows_.push_back(input_.back()->data());
    }
    for (auto& w : w_) w = static_cast<std::int8_t>(it.extreme ? between(rng, 0, 1) * 255 - 128 : between(rng, -128, 127));
    const float huge = 2e9F / static_cast<float>(20000 + 255 * 256 * it.kernel_h * it.kernel_w);
    for (int c = 0; c < it.channels; ++c) {
      bias_[size(c)] = between(rng, -20000, 20000);
      factor_[size(c)] = !it.extreme ? std::uniform_real_distribution<float>(1e-4F, 1e-2F)(rng) : between(rng, 0, 1) == 0 ? 0x1p-7F : huge;
      w_zero_[size(c)] = between(rng, -128, 127);
    }
    to_ = {factor_.data(), 0, 0, between(rng, 0, 255)};
    to_.low = static_cast<float>(between(rng, -to_.zero, 0 - to_.zero / 2));
    to_.high = static_cast<float>(between(rng, static_cast<int>(to_.low), 255 - to_.zero));
    if (between(rng, 0, 2) > 0) to_.high = static_cast<float>(255 - to_.zero);
  }

  std::vector<std::uint8_t> run(const DepthwiseU8Kernel& kernel) const {
    const Case& it = case_;
    Guarded<std::byte> packed((kernel.packed_bytes(it.kernel_h, it.kernel_w, it.channels) + 63) / 64 * 64, kSlack);
    kernel.pack(w_.data(), it.kernel_h, it.kernel_w, it.channels, packed.data());
    constexpr int kBefore = 64;  // which no kernel may touch
    Guarded<std::uint8_t> out(size(kBefore + it.out_height * it.out_width * it.channels));
    for (auto& level : out.all()) level = 0xA5;
    kernel.run({it.channels, it.kernel_h, it.kernel_w, it.stride, it.dilation, it.out_width, rows_.data(), packed.data(), bias_.data(),
                it.w_zero ? w_zero_.data() : nullptr, out.data() + kBefore, to_, it.out_height, it.row_stride});
    return {out.all().begin(), out.all().end()};
  }

 private:
  Case case_;
  std::vector<std::unique_ptr<Guarded<std::uint8_t>>> input_;
  std::vector<const std::uint8_t*> rows_;
  std::vector<std::int8_t> w_;
  Guarded<std::int32_t> bias_;
  Guarded<float> factor_;
  Guarded<std::int32_t> w_zero_;
  Requantize to_;
};

void check(const Case& it, Rng& rng) {
  const Problem problem(it, rng);
  const auto expected = problem.run(*kernels_for(Isa::kScalar).depthwise_u8);
  for (const Isa isa : machine_isas()) {
    ASSERT_EQ(problem.run(*kernels_for(isa).depthwise_u8), expected)
        << to_string(isa) << " channels, kernel, stride, dilation, out_width, w_zero, extreme: " << name_of(it);
  }
}

TEST(DepthwiseU8, IsTheScalarKernelToTheBitForAllSizes) {
  Rng rng(1);
  for (int i = 0; i < 1500; ++i) {
    check({between(rng, 1, 200), between(rng, 1, 5), between(rng, 1, 5), between(rng, 1, 3), between(rng, 1, 2), between(rng, 1, 20),
           between(rng, 0, 3) == 0, between(rng, 0, 3) == 0, between(rng, 1, 3), between(rng, 1, 2)},
          rng);
    if (HasFatalFailure()) return;
  }
}

TEST(DepthwiseU8, IsTheScalarKernelFor3x3OfTheWidthsThatNetworksHave) {
  Rng rng(2);
  for (const int channels : {1, 3, 4, 8, 12, 16, 24, 32, 40, 48, 64, 96, 128, 144, 192}) {
    for (const int stride : {1, 2}) {
      for (int width = 1; width <= 18; ++width) check({channels, 3, 3, stride, 1, width, width % 5 == 0, width % 3 == 0}, rng);
    }
    if (HasFatalFailure()) return;
  }
}

TEST(DepthwiseU8, IsTheScalarKernelForLargeWindows) {
  Rng rng(3);
  for (const auto& [h, w] : {std::pair{10, 4}, std::pair{1, 9}, std::pair{9, 1}, std::pair{25, 5}, std::pair{16, 16}}) {
    for (const int channels : {5, 16, 70}) check({channels, h, w, 1, 1, 3, channels == 16, channels == 5}, rng);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace moru::kernels
