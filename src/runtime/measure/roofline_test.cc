// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/roofline.h"

#include <gmock/gmock.h>

#include "core/json.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"
#include "runtime/measure/roofline_page.h"

namespace moru::runtime {
namespace {

using testing::DoubleEq;
using testing::HasSubstr;

void write_index(const Path& folder, int index, std::string_view level, std::string_view type, std::string_view size) {
  const Path at = folder / ("index" + std::to_string(index));
  ASSERT_TRUE(make_folders(at).has_value());
  ASSERT_TRUE(write_file_atomic(at / "level", level).has_value());
  ASSERT_TRUE(write_file_atomic(at / "type", type).has_value());
  ASSERT_TRUE(write_file_atomic(at / "size", size).has_value());
}

TEST(Caches, AreThoseThatHoldDataTheNearestFirst) {
  const auto folder = TempFolder::create("moru-caches").value();
  write_index(folder.path(), 0, "1\n", "Data\n", "48K\n");
  write_index(folder.path(), 1, "1\n", "Instruction\n", "32K\n");
  write_index(folder.path(), 2, "3\n", "Unified\n", "4M\n");
  write_index(folder.path(), 3, "2\n", "Unified\n", "512K\n");
  write_index(folder.path(), 4, "4\n", "Unified\n", "lots\n");
  write_index(folder.path(), 5, "5\n", "Unified\n", "99999999999999999999K\n");
  const auto caches = read_caches(folder.path());
  ASSERT_EQ(caches.size(), 3U);
  EXPECT_EQ(caches[0].name, "L1d");
  EXPECT_EQ(caches[0].bytes, 48U << 10U);
  EXPECT_EQ(caches[1].name, "L2");
  EXPECT_EQ(caches[1].bytes, 512U << 10U);
  EXPECT_EQ(caches[2].name, "L3");
  EXPECT_EQ(caches[2].bytes, 4U << 20U);
  EXPECT_TRUE(read_caches(folder.path() / "none").empty());
}

TEST(Peaks, VectorsBeatPlainCodeAndNearMemoryBeatsFar) {
  // Four times the last cache is read as memory.
  const PeakOptions options{.caches = {{"L1d", 32 << 10}, {"L2", 2 << 20}}, .rounds = 10};
  const Peaks scalar = measure_peaks(kernels::kernels_for(kernels::Isa::kScalar), options).value();
  const auto isas = kernels::machine_isas();
  const Peaks best = measure_peaks(kernels::kernels_for(isas.back()), options).value();
  EXPECT_GT(scalar.clock_hz, 1e8);
  EXPECT_LT(scalar.clock_hz, 1e10);
  ASSERT_EQ(best.levels.size(), 3U);
  EXPECT_EQ(best.levels[0].sample_bytes, 16U << 10U);
  EXPECT_EQ(best.levels[1].sample_bytes, 256U << 10U);
  EXPECT_EQ(best.levels[2].name, "memory");
  EXPECT_EQ(best.levels[2].sample_bytes, 8U << 20U);
  EXPECT_GT(best.levels[0].bytes_per_second, best.levels[2].bytes_per_second);
  if (isas.size() > 1) {
    EXPECT_GT(best.float_macs_per_second, 1.3 * scalar.float_macs_per_second);
    EXPECT_GT(best.level_macs_per_second, 1.3 * scalar.level_macs_per_second);
    EXPECT_GT(best.level_macs_per_second, best.float_macs_per_second) << "levels are what quantising is for";
  }
}

TEST(Peaks, MemoryThatNoSampleReachesIsLeftOut) {
  const PeakOptions options{.caches = {{"L1d", 32 << 10}, {"L2", 24 << 20}}, .most_sample_bytes = 32 << 20, .rounds = 1};
  const Peaks peaks = measure_peaks(kernels::kernels_for(kernels::Isa::kScalar), options).value();
  ASSERT_EQ(peaks.levels.size(), 2U);
  EXPECT_EQ(peaks.level_for(std::size_t{1} << 40U).name, "L2");
}

TEST(Peaks, WithoutKnownCachesOneLevelHoldsAll) {
  const Peaks peaks = measure_peaks(kernels::kernels_for(kernels::Isa::kScalar), {.caches = {}, .rounds = 2}).value();
  ASSERT_EQ(peaks.levels.size(), 1U);
  EXPECT_GT(peaks.levels[0].bytes_per_second, 0);
  EXPECT_EQ(&peaks.level_for(std::size_t{1} << 40U), &peaks.levels[0]);
}

/// Numbers that are easy to divide by: 1 MAC a ns of floats, 4 of levels; 8, 2 and 1 bytes a ns.
Peaks round_peaks() {
  return {.isa = kernels::Isa::kScalar,
          .clock_hz = 1e9,
          .float_macs_per_second = 1e9,
          .level_macs_per_second = 4e9,
          .levels = {{"L1d", 2048, 1024, 8e9}, {"L2", 1 << 20, 4096, 2e9}, {"memory", 0, 1 << 24, 1e9}}};
}

TEST(Peaks, ALevelIsTheNearestThatHoldsTheBytes) {
  const Peaks peaks = round_peaks();
  EXPECT_EQ(peaks.level_for(2048).name, "L1d");
  EXPECT_EQ(peaks.level_for(2049).name, "L2");
  EXPECT_EQ(peaks.level_for(2 << 20).name, "memory");
}

std::shared_ptr<const engine::Plan> plan_of(std::string_view text) {
  auto graph = model::parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_TRUE(model::infer_shapes(*graph).has_value());
  auto plan = engine::Plan::make(*graph, kernels::kernels_for(kernels::Isa::kScalar));
  EXPECT_TRUE(plan.has_value()) << plan.error().message;
  return *plan;
}

constexpr std::string_view kProduct = R"(graph "g" {
    opset 13
    input x: float32[4, 2]
    init w = float32[2, 3] {1, 2, 3, 4, 5, 6}
    y = MatMul(x, w)
    z = Relu(y)
    output z
  })";

TEST(Roofline, LimitsFollowFromProductsAndBytes) {
  const auto plan = plan_of(kProduct);
  ASSERT_EQ(plan->steps().size(), 3U);  // input, product, output
  const std::vector<double> ns = {14, 100, 6};
  const Roofline roofline = compare_with_limits(*plan, ns, round_peaks());
  const RooflineStep& product = roofline.steps[0];
  EXPECT_EQ(product.work.ops, "MatMul+Relu");
  EXPECT_EQ(product.work.macs, 4 * 2 * 3);
  EXPECT_FALSE(product.work.on_levels);
  EXPECT_EQ(product.work.traffic.read, 4U * 2 * 4);
  EXPECT_EQ(product.work.traffic.written, 4U * 3 * 4);
  EXPECT_EQ(product.work.weight_bytes, plan->weight_bytes());
  // 24 MACs at 1 a ns; the weights and bias at 8 bytes a ns as all fits the first cache, or they are the limit.
  const double bytes_ns = static_cast<double>(plan->weight_bytes() + 32 + 48) / 8;
  EXPECT_THAT(product.limit_ns, DoubleEq(std::max(24.0, bytes_ns)));
  EXPECT_EQ(product.bound, bytes_ns > 24.0 ? "L1d" : "products");
  EXPECT_EQ(roofline.steps[1].work.ops, "input");
  EXPECT_THAT(roofline.steps[1].limit_ns, DoubleEq(2 * 32 / 8.0));
  EXPECT_EQ(roofline.steps[2].work.ops, "output");
}

TEST(Roofline, SumsAddUpAndTheMostLostComesFirst) {
  const auto plan = plan_of(kProduct);
  const std::vector<double> ns = {14, 100, 60};
  const Roofline roofline = compare_with_limits(*plan, ns, round_peaks());
  double limit = 0;
  double lost = 0;
  for (std::size_t i = 0; i < roofline.steps.size(); ++i) {
    limit += roofline.steps[i].limit_ns;
    lost += roofline.steps[i].lost_ns();
    if (i > 0) {
      EXPECT_GE(roofline.steps[i - 1].lost_ns(), roofline.steps[i].lost_ns());
    }
  }
  EXPECT_THAT(roofline.total.ns, DoubleEq(174));
  EXPECT_THAT(roofline.total.limit_ns, DoubleEq(limit));
  EXPECT_NEAR(roofline.total.lost_ns(), lost, 1e-9);
  EXPECT_EQ(roofline.total.work.macs, 24);
}

TEST(Roofline, AMeasuredModelHasItsFieldsInJsonTableAndPage) {
  const auto plan = plan_of(kProduct);
  const auto context = engine::Context::make(plan).value();
  const std::vector<float> x(8, 1.0F);
  std::vector<float> z(12);
  const std::byte* from[] = {reinterpret_cast<const std::byte*>(x.data())};
  std::byte* to[] = {reinterpret_cast<std::byte*>(z.data())};
  const Peaks peaks = round_peaks();
  const Roofline roofline = measure_roofline(*context, from, to, peaks, 2 * kMillisecond);
  EXPECT_GT(roofline.run_ns, 0);
  EXPECT_GT(roofline.clock_hz, 1e8);
  EXPECT_EQ(z[0], 5.0F);
  const Json json = to_json(roofline);
  ASSERT_EQ(json["steps"].size(), 3U);
  for (const auto& step : json["steps"]) {
    EXPECT_EQ(step["on"], step["macs"] == 0 ? Json() : Json("floats"));
    EXPECT_NEAR(step["us"].get<double>() - step["limit_us"].get<double>(), step["lost_us"].get<double>(), 1e-9);
    for (const char* field : {"name", "ops", "weight_bytes", "read_bytes", "written_bytes", "bound", "share"}) {
      EXPECT_TRUE(step.contains(field)) << field;
    }
  }
  EXPECT_THAT(to_table(roofline), HasSubstr("MatMul+Relu"));
  Roofline hostile = roofline;
  hostile.steps[0].name = "node 1 (\x1b[2J)";
  EXPECT_THAT(to_table(hostile), testing::Not(HasSubstr("\x1b")));
  const std::string page = to_page({{"a<b.onnx", roofline}}, peaks, {.machine = {}, .version = "1", .when = "now", .how = "so"});
  EXPECT_THAT(page, HasSubstr("a&lt;b.onnx"));
  EXPECT_THAT(page, HasSubstr("Products of floats"));
  EXPECT_THAT(page, testing::Not(HasSubstr("Products of levels")));
}

}  // namespace
}  // namespace moru::runtime
