// SPDX-License-Identifier: Apache-2.0
// Every ISA of this machine beside plain sums in double, with the products in double as well, so that only the two ways are tested. An
// output takes all places of its tile with factors of up to 100 in all (5 * 5 on the way there, 4 * ... on the way back), most of which
// cancel: the bound is so many roundings of the largest term, which is the sum of the weights' magnitudes where inputs are at most 1.
#include "runtime/kernels/winograd_f32/winograd_f32.h"

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

constexpr double kG[6][3] = {{1.0 / 4, 0, 0},
                             {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                             {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                             {1.0 / 24, 1.0 / 12, 1.0 / 6},
                             {1.0 / 24, -1.0 / 12, 1.0 / 6},
                             {0, 0, 1}};

class Problem {
 public:
  explicit Problem(Rng& rng)
      : channels_(between(rng, 1, 40)),
        outputs_(between(rng, 1, 40)),
        height_(between(rng, 1, 13)),
        width_(between(rng, 1, 13)),
        pad_top_(between(rng, 0, 2)),
        pad_left_(between(rng, 0, 2)),
        out_height_(std::max(1, height_ + pad_top_ + between(rng, 0, 2) - 2)),
        out_width_(std::max(1, width_ + pad_left_ + between(rng, 0, 2) - 2)),
        in_(size(height_ * width_ * channels_), kSlack),
        residual_(size(out_height_ * out_width_ * outputs_)),
        bias_(size(padded(outputs_))),
        w_(size(outputs_ * channels_ * 9)),
        has_residual_(between(rng, 0, 1) == 1),
        clamped_(between(rng, 0, 1) == 1),
        at_once_(between(rng, 1, 9)) {
    std::uniform_real_distribution<float> number(-1, 1);
    for (const auto& values : {in_.all(), residual_.all(), bias_.all()}) {
      for (float& value : values) value = number(rng);
    }
    for (float& value : w_) value = number(rng);
  }

  void check() const {
    for (const Isa isa : machine_isas()) {
      Guarded<float> out(residual_.all().size());
      run(*kernels_for(isa).winograd_f32, out);
      for (int y = 0; y < out_height_; ++y) {
        for (int x = 0; x < out_width_; ++x) {
          for (int o = 0; o < outputs_; ++o) {
            double magnitude = 2;
            const double sum = sum_of(y, x, o, magnitude);
            constexpr double kRoundings = 100;
            ASSERT_NEAR(out[size(place(y, x, o))], std::clamp(sum, double{low()}, double{high()}),
                        kRoundings * magnitude * std::numeric_limits<float>::epsilon() / 2)
                << to_string(isa) << " " << y << ", " << x << ", " << o << " of channels, outputs, in, pad, out: "
                << testing::PrintToString(
                       std::vector<int>{channels_, outputs_, height_, width_, pad_top_, pad_left_, out_height_, out_width_});
          }
        }
      }
    }
  }

 private:
  float low() const { return clamped_ ? -0.5F : -std::numeric_limits<float>::infinity(); }
  float high() const { return clamped_ ? 0.7F : std::numeric_limits<float>::infinity(); }
  std::ptrdiff_t place(int y, int x, int o) const { return (std::ptrdiff_t{y} * out_width_ + x) * outputs_ + o; }

  double sum_of(int y, int x, int o, double& magnitude) const {
    double sum = bias_[size(o)];
    if (has_residual_) sum += residual_[size(place(y, x, o))];
    for (int i = 0; i < channels_ * 9; ++i) {
      const double weight = w_[size(o * channels_ * 9 + i)];
      magnitude += std::abs(weight);
      const int row = y - pad_top_ + i % 9 / 3;
      const int column = x - pad_left_ + i % 3;
      if (row < 0 || row >= height_ || column < 0 || column >= width_) continue;
      sum += weight * in_[size((row * width_ + column) * channels_ + i / 9)];
    }
    return sum;
  }

  double weight_of(int at, int o, int c) const {
    double sum = 0;
    for (int tap = 0; tap < 9; ++tap) sum += kG[at / 6][tap / 3] * kG[at % 6][tap % 3] * w_[size((o * channels_ + c) * 9 + tap)];
    return sum;
  }

  void run(const WinogradF32Kernel& kernel, const Guarded<float>& out) const {
    const int across = (out_width_ + 3) / 4;
    const int tiles = across * ((out_height_ + 3) / 4);
    for (int first = 0; first < tiles; first += at_once_) {
      const int count = std::min(at_once_, tiles - first);
      const std::ptrdiff_t from_row = winograd_row(channels_);
      const std::ptrdiff_t to_row = winograd_row(outputs_);
      Guarded<float> from(size(kWinogradPlaces * count * from_row));
      Guarded<float> to(size(kWinogradPlaces * count * to_row), kSlack);
      kernel.to_tiles({channels_, height_, width_, pad_top_, pad_left_, in_.data(), across, first, count, from.data()});
      for (int row = 0; row < kWinogradPlaces * count; ++row) {
        for (int o = 0; o < outputs_; ++o) {
          double sum = 0;
          for (int c = 0; c < channels_; ++c) sum += weight_of(row / count, o, c) * from[size(row * from_row + c)];
          to[size(row * to_row + o)] = static_cast<float>(sum);
        }
      }
      kernel.from_tiles({outputs_, out_height_, out_width_, across, first, count, to.data(), bias_.data(),
                         has_residual_ ? residual_.data() : nullptr, out.data(), low(), high()});
    }
  }

  int channels_, outputs_, height_, width_, pad_top_, pad_left_, out_height_, out_width_;
  Guarded<float> in_;
  Guarded<float> residual_;
  Guarded<float> bias_;
  std::vector<float> w_;
  bool has_residual_;
  bool clamped_;
  int at_once_;
};

TEST(WinogradF32, IsNearTheSumForAllSizes) {
  Rng rng(1);
  for (int i = 0; i < 40; ++i) {
    Problem(rng).check();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace moru::kernels
