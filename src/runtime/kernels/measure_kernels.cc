// SPDX-License-Identifier: Apache-2.0
// The speed of the kernels on the layers of the models they are for: `measure_kernels [WORD]` prints the lines that have WORD in them, per
// ISA of the machine: microseconds of a layer, multiplications a cycle, and how much of the ISA's peak that is. The best of many runs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/kernels/kernels.h"

namespace moru::kernels {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(const std::function<void()>& work) {
  const auto from = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - from).count();
}

/// Cycles a second, from additions that wait for each other.
double clock_hz() {
  const PeakKernel& kernel = *kernels_for(Isa::kScalar).peak;
  double best = 0;
  for (int i = 0; i < 10; ++i) {
    std::int64_t additions = 0;
    const double s = seconds([&] { additions = kernel.add_in_a_row(3000); });
    best = std::max(best, static_cast<double>(additions) / s);
  }
  return best;
}

/// Seconds of one call, at best.
double best_seconds(const std::function<void()>& work) {
  work();
  const double once = std::max(seconds(work), 1e-8);
  const int calls = std::max(1, static_cast<int>(1e-4 / once));
  double best = std::numeric_limits<double>::max();
  for (int i = 0; i < 100; ++i) {
    best = std::min(best, seconds([&] {
                            for (int j = 0; j < calls; ++j) work();
                          }) / calls);
  }
  return best;
}

/// Multiplications a cycle that an ISA can do at best: on levels and on floats. AVX2 has no products of bytes that do not saturate, so a
/// product of 16 words and an addition, of which three can start in a cycle. On arm64 that of a core with two units.
double peak(Isa isa, bool floats) {
  switch (isa) {
    case Isa::kAmx: return floats ? 32 : 1024;
    case Isa::kAvx512: return floats ? 32 : 128;
    case Isa::kAvxVnni: return floats ? 16 : 64;
    case Isa::kAvx2: return floats ? 16 : 24;
    case Isa::kNeonDot: return floats ? 8 : 32;
    case Isa::kNeon: return 8;
    case Isa::kScalar: return 1;
  }
  return 1;
}

struct Line {
  std::string name;
  double products;
  bool floats;
};

void print(const Line& line, Isa isa, double hz, const std::function<void()>& work) {
  const double s = best_seconds(work);
  const double rate = line.products / (s * hz);
  fmt::print("{:34} {:7} {:10.2f} us {:7.1f} a cycle {:5.0f} %\n", line.name, to_string(isa), s * 1e6, rate,
             100 * rate / peak(isa, line.floats));
}

std::size_t size(int count) { return static_cast<std::size_t>(count); }

template <class T>
T* aligned(std::vector<T>& all) {
  const auto at = reinterpret_cast<std::uintptr_t>(all.data());
  return all.data() + ((at + 63) / 64 * 64 - at) / sizeof(T);
}

struct Matrix {
  const char* model;
  int m, n, k;
};

void gemm_u8(const Line& line, const Matrix& it, Isa isa, double hz) {
  const auto& kernel = *kernels_for(isa).gemm_u8;
  std::vector<std::uint8_t> a(size(it.m * it.k) + 2 * kSlack, 3);
  std::vector<std::int8_t> w(size(it.n * it.k), 5);
  std::vector<std::byte> packed(kernel.packed_bytes(it.n, 1, it.k) + 2 * kSlack);
  std::vector<std::int32_t> bias(size(padded(it.n)), 7);
  std::vector<float> factor(size(padded(it.n)), 0.01F);
  std::vector<std::uint8_t> c(size(it.m * it.n) + kSlack);
  kernel.pack(w.data(), it.n, 1, it.k, aligned(packed));
  const GemmU8 call{it.m,        it.n,    it.k,    aligned(a), it.k, aligned(packed),
                    bias.data(), nullptr, nullptr, aligned(c), it.n, {factor.data(), -128, 127, 128}};
  print(line, isa, hz, [&] { kernel.run(call); });
}

void gemm_f32(const Line& line, const Matrix& it, Isa isa, double hz) {
  const auto& kernel = *kernels_for(isa).gemm_f32;
  std::vector<float> a(size(it.m * it.k) + 2 * kSlack, 3);
  std::vector<float> w(size(it.n * it.k), 5);
  std::vector<std::byte> packed(kernel.packed_bytes(it.n, 1, it.k) + 2 * kSlack);
  std::vector<float> bias(size(padded(it.n)), 7);
  std::vector<float> c(size(it.m * it.n) + kSlack);
  kernel.pack(w.data(), it.n, 1, it.k, aligned(packed));
  const GemmF32 call{it.m, it.n, it.k, aligned(a), it.k, aligned(packed), bias.data(), nullptr, 0, aligned(c), it.n, 0, 6};
  print(line, isa, hz, [&] { kernel.run(call); });
}

struct Plane {
  const char* model;
  int channels, width, height;  ///< of the output
  int stride = 1;
  int kernel = 3;
};

/// The input rows of all output rows of a plane.
template <class T>
std::vector<const T*> rows_of(const Plane& it, const T* x) {
  const int width = (it.width - 1) * it.stride + it.kernel;
  std::vector<const T*> rows;
  for (int y = 0; y < (it.height - 1) * it.stride + it.kernel; ++y)
    rows.push_back(x + static_cast<std::ptrdiff_t>(y) * width * it.channels);
  return rows;
}

std::size_t input_size(const Plane& it) {
  return size(((it.width - 1) * it.stride + it.kernel) * ((it.height - 1) * it.stride + it.kernel) * it.channels);
}

void depthwise_u8(const Line& line, const Plane& it, Isa isa, double hz) {
  const auto& kernel = *kernels_for(isa).depthwise_u8;
  std::vector<std::uint8_t> x(input_size(it) + 2 * kSlack, 3);
  std::vector<std::int8_t> w(size(it.kernel * it.kernel * it.channels), 5);
  std::vector<std::byte> packed(kernel.packed_bytes(it.kernel, it.kernel, it.channels) + 2 * kSlack);
  std::vector<std::int32_t> bias(size(padded(it.channels)), 7);
  std::vector<float> factor(size(padded(it.channels)), 0.01F);
  std::vector<std::uint8_t> y(size(it.width * it.height * it.channels) + kSlack);
  kernel.pack(w.data(), it.kernel, it.kernel, it.channels, aligned(packed));
  const auto rows = rows_of(it, static_cast<const std::uint8_t*>(aligned(x)));
  const DepthwiseU8 call{it.channels, it.kernel,       it.kernel,   it.stride, 1,          it.width,
                         rows.data(), aligned(packed), bias.data(), nullptr,   aligned(y), {factor.data(), -128, 127, 128},
                         it.height,   it.stride};
  print(line, isa, hz, [&] { kernel.run(call); });
}

void depthwise_f32(const Line& line, const Plane& it, Isa isa, double hz) {
  const auto& kernel = *kernels_for(isa).depthwise_f32;
  const int width = it.width * it.stride;
  const int height = it.height * it.stride;
  std::vector<float> x(size(width * height * it.channels) + 2 * kSlack, 3);
  std::vector<float> w(size(it.kernel * it.kernel * padded(it.channels)) + kSlack, 5);
  std::vector<float> bias(size(padded(it.channels)), 7);
  std::vector<float> y(size(it.width * it.height * it.channels) + kSlack);
  const DepthwiseF32 call{it.channels,   it.kernel,     it.kernel,  it.stride, it.stride, 1,        1,
                          it.kernel / 2, it.kernel / 2, height,     width,     it.height, it.width, aligned(x),
                          aligned(w),    bias.data(),   aligned(y), 0,         6};
  print(line, isa, hz, [&] { kernel.run(call); });
}

void gemm_mixed(const Line& line, const Matrix& it, int bits, Isa isa, double hz) {
  const auto& kernel = *kernels_for(isa).gemm_mixed;
  std::vector<float> a(size(it.m * it.k) + 2 * kSlack, 3);
  const std::vector<std::int8_t> w(size(it.n * it.k), 5);
  std::vector<std::byte> packed(kernel.packed_bytes(it.n, it.k, bits) + 2 * kSlack);
  const std::vector<float> row(size(padded(it.n)), 1);  // scales, zero points and bias
  std::vector<float> c(size(it.m * it.n) + kSlack);
  kernel.pack(w.data(), it.n, it.k, bits, aligned(packed));
  const GemmMixed call{
      it.m,       it.n, it.k, bits, it.k + it.k % 2, aligned(a), it.k, aligned(packed), row.data(), row.data(), row.data(), nullptr, 0,
      aligned(c), it.n, 0,    6};
  print(line, isa, hz, [&] { kernel.run(call); });
}

/// Fully connected layers, as floats and with weights of 8 and 4 bits.
constexpr Matrix kConnected[] = {{"fc", 1, 256, 256}, {"fc", 1, 1024, 1024}, {"fc", 1, 4096, 4096}, {"fc", 16, 1024, 1024}};

constexpr Matrix kMatrices[] = {
    {"kws", 125, 64, 40},    {"kws", 125, 64, 64},   {"kws", 1, 12, 64},      {"vww", 2304, 8, 27},    {"vww", 2304, 16, 8},
    {"vww", 576, 32, 16},    {"vww", 576, 32, 32},   {"vww", 144, 64, 32},    {"vww", 144, 64, 64},    {"vww", 36, 128, 64},
    {"vww", 36, 128, 128},   {"vww", 9, 256, 128},   {"vww", 9, 256, 256},    {"vww", 1, 2, 256},      {"ic", 1024, 16, 27},
    {"ic", 1024, 16, 144},   {"ic", 256, 32, 144},   {"ic", 256, 32, 288},    {"ic", 256, 32, 16},     {"ic", 64, 64, 288},
    {"ic", 64, 64, 576},     {"ic", 64, 64, 32},     {"ic", 1, 10, 64},       {"ad", 1, 128, 640},     {"ad", 1, 128, 128},
    {"ad", 1, 8, 128},       {"ad", 1, 128, 8},      {"ad", 1, 640, 128},     {"mnv2", 12544, 32, 27}, {"mnv2", 12544, 16, 32},
    {"mnv2", 12544, 96, 16}, {"mnv2", 3136, 24, 96}, {"mnv2", 3136, 144, 24}, {"mnv2", 784, 32, 192},  {"mnv2", 784, 192, 32},
    {"mnv2", 196, 384, 64},  {"mnv2", 196, 96, 576}, {"mnv2", 49, 960, 160},  {"mnv2", 49, 160, 960},  {"mnv2", 49, 1280, 320},
    {"mnv2", 1, 1000, 1280},
};
constexpr Plane kPlanes[] = {
    {"kws", 64, 5, 25},     {"vww", 8, 48, 48},      {"vww", 16, 24, 24, 2},    {"vww", 32, 24, 24},        {"vww", 32, 12, 12, 2},
    {"vww", 64, 12, 12},    {"vww", 64, 6, 6, 2},    {"vww", 128, 6, 6},        {"vww", 128, 3, 3, 2},      {"vww", 256, 3, 3},
    {"mnv2", 32, 112, 112}, {"mnv2", 96, 56, 56, 2}, {"mnv2", 144, 56, 56},     {"mnv2", 192, 28, 28},      {"mnv2", 384, 14, 14},
    {"mnv2", 576, 14, 14},  {"mnv2", 960, 7, 7},     {"5x5", 64, 14, 14, 1, 5}, {"5x5", 240, 14, 14, 2, 5},
};

void measure(std::string_view word) {
  const double hz = clock_hz();
  fmt::print("{:.2f} GHz\n", hz / 1e9);
  const auto each = [&](const Line& line, const auto& layer, auto measure_layer) {
    if (line.name.find(word) == std::string::npos) return;
    for (const Isa isa : machine_isas()) {
      if (isa != Isa::kScalar) measure_layer(line, layer, isa, hz);
    }
  };
  for (const Matrix& it : kConnected) {
    const double products = double(it.m) * it.n * it.k;
    const std::string layer = fmt::format("{} {}x{}x{}", it.model, it.m, it.n, it.k);
    each({"gemm_f32 " + layer, products, true}, it, gemm_f32);
    for (const int bits : {8, 4}) {
      each({fmt::format("gemm_mixed {} {} bits", layer, bits), products, true}, it,
           [&](const Line& line, const Matrix& matrix, Isa isa, double cycles) { gemm_mixed(line, matrix, bits, isa, cycles); });
    }
  }
  for (const bool floats : {false, true}) {
    for (const Matrix& it : kMatrices) {
      each({fmt::format("gemm_{} {} {}x{}x{}", floats ? "f32" : "u8", it.model, it.m, it.n, it.k), double(it.m) * it.n * it.k, floats}, it,
           floats ? gemm_f32 : gemm_u8);
    }
    for (const Plane& it : kPlanes) {
      each({fmt::format("depthwise_{} {} {}x{}x{} {}x{}/{}", floats ? "f32" : "u8", it.model, it.height, it.width, it.channels, it.kernel,
                        it.kernel, it.stride),
            double(it.width) * it.height * it.channels * it.kernel * it.kernel, floats},
           it, floats ? depthwise_f32 : depthwise_u8);
    }
  }
}

}  // namespace
}  // namespace moru::kernels

int main(int argc, char** argv) {
  moru::kernels::measure(argc > 1 ? argv[1] : "");
  return 0;
}
