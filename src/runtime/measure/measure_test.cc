// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "core/json.h"
#include "runtime/measure/compare.h"
#include "runtime/measure/latency.h"
#include "runtime/measure/machine.h"
#include "runtime/measure/memory.h"

namespace moru::runtime {
namespace {

using model::DType;
using model::Tensor;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Latency, QuantilesAreExact) {
  std::vector<TimeNs> samples(1000);
  std::iota(samples.rbegin(), samples.rend(), 1);
  const Latency latency = summarise(samples);
  EXPECT_EQ(latency.runs, 1000);
  EXPECT_EQ(latency.min, 1);
  EXPECT_EQ(latency.p50, 500);
  EXPECT_EQ(latency.p90, 900);
  EXPECT_EQ(latency.p99, 990);
  EXPECT_EQ(latency.max, 1000);
  EXPECT_DOUBLE_EQ(latency.mean, 500.5);
  EXPECT_EQ(summarise({}).runs, 0);
  EXPECT_EQ(summarise({7}).p99, 7);
}

TEST(Latency, MeasuresWhatTheClockSays) {
  FakeClock clock;
  int calls = 0;
  const auto latency = measure_latency(
      [&]() -> Status {
        ++calls;
        clock.advance(calls <= 3 ? kSecond / 10 : calls * kMicrosecond);  // slow while it warms up
        return {};
      },
      {.warmup_runs = 3, .min_runs = 5, .min_time = 0, .max_runs = 10, .max_time = kSecond}, clock);
  ASSERT_TRUE(latency.has_value());
  EXPECT_EQ(calls, 8);
  EXPECT_EQ(latency->runs, 5);
  EXPECT_EQ(latency->min, 4 * kMicrosecond);
  EXPECT_EQ(latency->p50, 6 * kMicrosecond);
  EXPECT_EQ(latency->max, 8 * kMicrosecond);
}

TEST(Latency, RunsForTheTimeAskedAndStopsAtEachLimit) {
  const auto runs = [](TimeNs each, LatencyOptions options) {
    FakeClock clock;
    return measure_latency(
               [&]() -> Status {
                 clock.advance(each);
                 return {};
               },
               options, clock)
        .value()
        .runs;
  };
  EXPECT_EQ(runs(kMillisecond, {.warmup_runs = 0, .min_runs = 5, .min_time = kSecond, .max_runs = 100'000, .max_time = kSecond}), 1000);
  EXPECT_EQ(runs(kMillisecond, {.warmup_runs = 0, .min_runs = 5, .min_time = kSecond, .max_runs = 50, .max_time = kSecond}), 50);
  EXPECT_EQ(runs(kSecond, {.warmup_runs = 2, .min_runs = 100, .min_time = 0, .max_runs = 100, .max_time = 3 * kSecond}), 3);
  EXPECT_EQ(runs(100 * kSecond, {.warmup_runs = 10, .min_runs = 100, .min_time = 0, .max_runs = 100, .max_time = kSecond}), 1);
}

TEST(Latency, GivesTheErrorOfTheRunAndRefusesWrongOptions) {
  const auto broken = measure_latency([]() -> Status { return fail(ErrorCode::kCorrupt, "broken"); });
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().message, "broken");
  const auto fine = []() -> Status { return {}; };
  EXPECT_EQ(measure_latency(fine, {.warmup_runs = 0, .min_runs = 0}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(measure_latency(fine, {.warmup_runs = 0, .min_runs = 10, .min_time = 0, .max_runs = 5}).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(Latency, JsonIsInMicroseconds) {
  const Json json = to_json(Latency{.runs = 2, .min = 1500, .p50 = 2000, .p90 = 0, .p99 = 0, .max = 0, .mean = 1750.0});
  EXPECT_EQ(json["runs"], 2);
  EXPECT_EQ(json["min_us"], 1.5);
  EXPECT_EQ(json["mean_us"], 1.75);
}

TEST(Machine, ReadsNameAndFeaturesOfX86) {
  Machine machine;
  read_cpuinfo(
      "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu sse4_1 avx avx2 avx512f avx512_vnni amx_int8\n\nprocessor : 1\nmodel "
      "name : Other\nflags : fpu\n",
      &machine);
  EXPECT_EQ(machine.cpu, "Some CPU @ 2 GHz");
  EXPECT_THAT(machine.isa, ElementsAre("sse4_1", "avx", "avx2", "avx512f", "avx512_vnni", "amx_int8"));
}

TEST(Machine, ReadsFeaturesOfArmAndTakesNonsense) {
  Machine machine;
  read_cpuinfo("Features\t: fp asimd asimddp sve\nModel\t\t: Board 4\n", &machine);
  EXPECT_EQ(machine.cpu, "Board 4");
  EXPECT_THAT(machine.isa, ElementsAre("asimd", "asimddp", "sve"));
  Machine empty;
  read_cpuinfo("no colon\n:\n\n::::", &empty);
  EXPECT_TRUE(empty.isa.empty());
}

TEST(Machine, DescribesThisOne) {
  const Machine machine = describe_machine();
  EXPECT_FALSE(machine.cpu.empty());
  EXPECT_FALSE(machine.architecture.empty());
  EXPECT_GE(machine.cores, 1);
  EXPECT_GT(machine.memory_bytes, 1U << 20U);
  const Json json = to_json(machine);
  EXPECT_EQ(json["cpu"], machine.cpu);
  EXPECT_EQ(json["isa"].size(), machine.isa.size());
  EXPECT_THAT(to_string(machine), HasSubstr(machine.cpu));
}

TEST(Memory, ParsesTheKernelsFields) {
  EXPECT_EQ(status_field("VmPeak:\t 10 kB\nVmRSS:\t    2048 kB\n", "VmRSS"), 2048U * 1024);
  EXPECT_EQ(status_field("VmRSSx:\t 5 kB\n", "VmRSS"), 0U);
  EXPECT_EQ(status_field("VmRSS:\t many kB\n", "VmRSS"), 0U);
  EXPECT_EQ(status_field("VmRSS: 99999999999999999999 kB\n", "VmRSS"), 0U);
}

TEST(Memory, SeesWhatIsTouched) {
  const auto before = read_memory();
  ASSERT_TRUE(before.has_value()) << before.error().message;
  constexpr std::size_t kSize = 64U << 20U;
  std::vector<char> block(kSize, 1);
  const auto after = read_memory(::getpid());
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(block[kSize / 2], 1);
  EXPECT_GE(after->resident_bytes, before->resident_bytes + kSize / 2);
  EXPECT_GE(after->peak_resident_bytes, after->resident_bytes / 2);
}

TEST(Memory, NoSuchProcess) { EXPECT_EQ(read_memory(0x7ffffff0).error().code, ErrorCode::kNotFound); }

TEST(Compare, GivesTheFiguresOfTwoTensors) {
  const auto difference = compare(Tensor::of<float>({3}, {1, 2, 2}), Tensor::of<float>({3}, {1, 2, 5}));
  ASSERT_TRUE(difference.has_value());
  EXPECT_EQ(difference->count, 3);
  EXPECT_DOUBLE_EQ(difference->max_error, 3.0);
  EXPECT_DOUBLE_EQ(difference->rms_error, std::sqrt(3.0));
  EXPECT_DOUBLE_EQ(difference->nmse, 1.0);
  const auto same = compare(Tensor::of<std::int8_t>({2}, {-128, 127}), Tensor::of<std::int8_t>({2}, {-128, 127}));
  EXPECT_EQ(same->max_error, 0.0);
  EXPECT_EQ(same->nmse, 0.0);
}

TEST(Compare, NotANumberIsInfinitelyFarFromANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(compare(Tensor::of<float>({2}, {1, 2}), Tensor::of<float>({2}, {1, nan}))->max_error, kInfinity);
  EXPECT_EQ(compare(Tensor::of<float>({2}, {1, nan}), Tensor::of<float>({2}, {1, 0}))->nmse, kInfinity);
  EXPECT_EQ(compare(Tensor::of<float>({2}, {inf, nan}), Tensor::of<float>({2}, {inf, nan}))->nmse, 0.0);
  EXPECT_EQ(compare(Tensor::of<float>({1}, {0}), Tensor::of<float>({1}, {1}))->nmse, kInfinity);
  EXPECT_EQ(compare(Tensor::of<float>({1}, {inf}), Tensor::of<float>({1}, {-inf}))->max_error, kInfinity);
}

TEST(Compare, RefusesOtherTypesShapesAndCounts) {
  const auto a = Tensor::of<float>({2}, {1, 2});
  EXPECT_EQ(compare(a, Tensor::of<float>({1, 2}, {1, 2})).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(compare(a, Tensor::of<double>({2}, {1, 2})).error().code, ErrorCode::kInvalidArgument);
  const std::vector<Tensor> one = {a};
  EXPECT_EQ(compare_all(one, {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(compare_all(one, one)->count, 2);
}

TEST(RandomInputs, FitThePortsAndFollowTheSeed) {
  const std::vector<Port> ports = {{"x", DType::kFloat32, {{-1, "N"}, {5, ""}}},
                                   {"q", DType::kInt8, {{4000, ""}}},
                                   {"i", DType::kInt64, {{100, ""}}},
                                   {"b", DType::kBool, {}}};
  Rng rng(1);
  const auto inputs = random_inputs(ports, 3, rng);
  ASSERT_TRUE(inputs.has_value());
  EXPECT_THAT((*inputs)[0].dims(), ElementsAre(3, 5));
  EXPECT_THAT((*inputs)[1].data<std::int8_t>(), Contains(-128));
  EXPECT_THAT((*inputs)[1].data<std::int8_t>(), Contains(127));
  EXPECT_THAT((*inputs)[2].data<std::int64_t>(), testing::Each(testing::AnyOf(0, 1)));
  EXPECT_EQ((*inputs)[3].rank(), 0U);
  Rng again(1);
  EXPECT_TRUE(same_bits(random_inputs(ports, 3, again).value()[0], (*inputs)[0]));
  EXPECT_EQ(random_inputs(ports, -1, again).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace moru::runtime
