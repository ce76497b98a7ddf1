// SPDX-License-Identifier: Apache-2.0
#include "runtime/benchmark/page.h"

#include <gmock/gmock.h>

namespace moru::runtime {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

BenchmarkRow row(std::string backend, int threads, std::int64_t batch, TimeNs p50) {
  BenchmarkRow one{.model = "net<1>.onnx", .backend = std::move(backend), .device = "cpu", .threads = threads, .batch = batch};
  one.latency = Latency{.runs = 30, .min = p50, .p50 = p50, .p90 = p50, .p99 = 2 * p50};
  one.ok = true;
  return one;
}

const PageFacts kFacts{.machine = {.cpu = "Some CPU", .architecture = "x86_64", .system = "Linux", .isa = {"avx2"}},
                       .version = "1.0",
                       .when = "now",
                       .how = "30 runs"};

TEST(Page, HasMachinePlotsAndTable) {
  auto wrong = row("litert", 1, 1, 3000);
  wrong.ok = false;
  wrong.reason = "wrong: & far";
  const auto page = to_page({row("onnxruntime", 1, 1, 2000), wrong, row("reference", 1, 1, 99'000'000)}, kFacts);
  EXPECT_THAT(page, AllOf(HasSubstr("Some CPU"), HasSubstr("net&lt;1&gt;.onnx"), HasSubstr("class=\"bar fine\""),
                          HasSubstr("class=\"bar bad\""), HasSubstr("wrong: &amp; far"), HasSubstr("99.00 ms")));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("http")));  // nothing is loaded from elsewhere
  EXPECT_THAT(page, Not(HasSubstr("Threads, ")));
}

TEST(Page, SweepsAreLines) {
  const auto page = to_page({row("a", 1, 1, 2000), row("a", 2, 1, 1200), row("a", 1, 4, 6000), row("a", 2, 4, 4000)}, kFacts);
  EXPECT_THAT(page, AllOf(HasSubstr("Threads, batch 1"), HasSubstr("Threads, batch 4"), HasSubstr("Batches, 1 thread"),
                          HasSubstr("Batches, 2 threads"), HasSubstr("a, 2 threads, batch 4")));
}

TEST(Page, WhatIsAbsentStandsBelowOnce) {
  const BenchmarkRow absent{.model = "a.onnx", .backend = "qnn", .reason = "get <it>", .absent = true};
  const auto page = to_page({row("a", 1, 1, 2000), absent, absent}, kFacts);
  EXPECT_THAT(page, AllOf(HasSubstr("<p>Not here: get &lt;it&gt;</p>"), Not(HasSubstr(">qnn<")), Not(HasSubstr(">failed<"))));
  EXPECT_EQ(page.find("Not here"), page.rfind("Not here"));
}

TEST(Page, WhatCouldNotRunIsInTheTable) {
  const auto page = to_page({{.model = "a.onnx", .backend = "tensorrt", .reason = "no GPU"}}, kFacts);
  EXPECT_THAT(page, AllOf(HasSubstr("tensorrt"), HasSubstr("no GPU"), HasSubstr("failed"), Not(HasSubstr("<svg"))));
}

}  // namespace
}  // namespace moru::runtime
