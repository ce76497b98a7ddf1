// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/map/map.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace moru::kernels {
namespace {

const std::span<const Isa> kIsas = machine_isas();

/// Calls f(kernel) for each that this machine can run.
template <class F>
void for_each_kernel(F f) {
  for (const MapKernel* kernel : all_map()) {
    if (std::ranges::find(kIsas, kernel->isa) == kIsas.end()) continue;
    SCOPED_TRACE(to_string(kernel->isa));
    f(*kernel);
  }
}

struct Case {
  const char* name;
  UnaryMap MapKernel::* map;
  double (*exact)(double x);
  double error;  ///< of the value, or of 1 where that is more
};

TEST(Map, FunctionsOfOneNumber) {
  const Case cases[] = {
      {"abs", &MapKernel::abs, [](double x) { return std::fabs(x); }, 0},
      {"ceil", &MapKernel::ceil, [](double x) { return std::ceil(x); }, 0},
      {"elu", &MapKernel::elu, [](double x) { return x < 0 ? 0.5 * std::expm1(x) : x; }, 4e-7},
      {"erf", &MapKernel::erf, [](double x) { return std::erf(x); }, 3e-7},
      {"exp", &MapKernel::exp, [](double x) { return std::exp(x); }, 3e-7},
      {"floor", &MapKernel::floor, [](double x) { return std::floor(x); }, 0},
      {"gelu", &MapKernel::gelu, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }, 5e-7},
      {"hard_swish", &MapKernel::hard_swish, [](double x) { return x * std::fmin(std::fmax(x / 6 + 0.5, 0), 1); }, 4e-7},
      {"neg", &MapKernel::neg, [](double x) { return -x; }, 0},
      {"sigmoid", &MapKernel::sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 3e-7},
      {"sign", &MapKernel::sign, [](double x) { return x > 0   ? 1.0
                                                       : x < 0 ? -1.0
                                                               : 0.0; }, 0},
      {"tanh", &MapKernel::tanh, [](double x) { return std::tanh(x); }, 3e-7},
  };
  std::vector<float> x;
  for (int i = -2000; i <= 2000; ++i) x.push_back(static_cast<float>(i) * 0.0431F);
  for (const float tiny : {1e-6F, -1e-6F, 1e-3F, -1e-3F, 0.0F}) x.push_back(tiny);
  for_each_kernel([&](const MapKernel& kernel) {
    for (const Case& one : cases) {
      std::vector<float> y(x.size());
      (kernel.*one.map)(x.data(), y.data(), x.size(), 0.5F, 0);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double wanted = one.exact(double{x[i]});
        ASSERT_NEAR(double{y[i]}, wanted, one.error * std::fmax(1, std::fabs(wanted))) << one.name << " of " << x[i];
      }
    }
  });
}

TEST(Map, EndsOfTheRange) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float x[] = {-kInf, kInf, -1000, 1000, std::numeric_limits<float>::quiet_NaN()};
  for_each_kernel([&](const MapKernel& kernel) {
    float y[5];
    kernel.exp(x, y, 5, 0, 0);
    EXPECT_THAT(std::vector<float>(y, y + 4), testing::ElementsAre(0, kInf, 0, kInf));
    EXPECT_TRUE(std::isnan(y[4]));
    kernel.erf(x, y, 5, 0, 0);
    EXPECT_THAT(std::vector<float>(y, y + 4), testing::ElementsAre(-1, 1, -1, 1));
    EXPECT_TRUE(std::isnan(y[4]));
    kernel.sigmoid(x, y, 5, 0, 0);
    EXPECT_THAT(std::vector<float>(y, y + 4), testing::ElementsAre(0, 1, 0, 1));
    kernel.tanh(x, y, 5, 0, 0);
    EXPECT_THAT(std::vector<float>(y, y + 4), testing::ElementsAre(-1, 1, -1, 1));
    EXPECT_TRUE(std::isnan(y[4]));
  });
}

TEST(Map, FunctionsOfTwoNumbersStretchEitherOperand) {
  constexpr std::size_t kCount = 37;
  std::vector<float> a(kCount);
  std::vector<float> b(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    a[i] = static_cast<float>(i) - 18;
    b[i] = 3 - static_cast<float>(i);
  }
  for_each_kernel([&](const MapKernel& kernel) {
    for (const std::size_t a_step : {std::size_t{0}, std::size_t{1}}) {
      for (const std::size_t b_step : {std::size_t{0}, std::size_t{1}}) {
        std::vector<float> y(kCount);
        kernel.sub(
            {.a = a.data(), .b = b.data(), .a_step = a_step, .b_step = b_step, .y = y.data(), .count = kCount, .low = -20, .high = 15});
        for (std::size_t i = 0; i < kCount; ++i) {
          EXPECT_EQ(y[i], std::fmin(std::fmax(a[i * a_step] - b[i * b_step], -20), 15)) << i;
        }
      }
    }
  });
}

}  // namespace
}  // namespace moru::kernels
