// SPDX-License-Identifier: Apache-2.0
#include "runtime/benchmark/benchmark.h"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <limits>

#include "core/json.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

BenchmarkModel model_of(std::string_view text) {
  auto graph = model::parse_text(text).value();
  EXPECT_TRUE(model::infer_shapes(graph).has_value());
  return {"net.onnx", model::write_onnx(graph).value()};
}
BenchmarkModel small_model() {
  return model_of("graph \"g\" { opset 13 input x: float32[N, 4] y = Relu(x) z = Softmax(y) {axis = 1} output z }");
}

class Benchmarks : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::setenv("MORU_BACKEND_PATH", "", 1), 0); }
  static void use_hostile(std::string_view kind) { ::setenv("MORU_BACKEND_PATH", fmt::format("{}/{}", MORU_HOSTILE, kind).c_str(), 1); }
  static BenchmarkOptions options(std::vector<std::string> backends) {
    BenchmarkOptions options{.program = {MORU_WORKER}, .backends = std::move(backends)};
    options.min_time = 20 * kMillisecond;
    return options;
  }
};

TEST_F(Benchmarks, EveryCombinationHasItsRow) {
  auto wanted = options({"onnxruntime", "reference"});
  wanted.threads = {1, 2};
  wanted.batches = {1, 3};
  std::int64_t slices = 0;
  wanted.progress = [&](std::int64_t more, std::string_view) { slices += more; };
  const auto rows = benchmark(small_model(), wanted);
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  ASSERT_EQ(rows->size(), 8U);
  EXPECT_EQ(slices, 8 * slices_of(wanted));
  for (const auto& row : *rows) {
    SCOPED_TRACE(to_json(row).dump());
    EXPECT_TRUE(row.ok);
    EXPECT_EQ(row.reason, "");
    EXPECT_EQ(row.device, "cpu");
    ASSERT_TRUE(row.latency.has_value());
    EXPECT_GE(row.latency->runs, 30);
    EXPECT_GT(row.latency->min, 0);
    EXPECT_LE(row.latency->min, row.latency->p50);
    EXPECT_LE(row.latency->p50, row.latency->p90);
    EXPECT_LE(row.latency->p90, row.latency->p99);
    EXPECT_GT(row.load_ms.value(), 0.0);
    EXPECT_GT(row.peak_rss_bytes.value(), 0U);
    EXPECT_LT(row.nmse.value(), 1e-10);
  }
  EXPECT_EQ((*rows)[0].backend, "onnxruntime");
  EXPECT_EQ((*rows)[2].threads, 2);
  EXPECT_EQ((*rows)[4].batch, 3);
}

TEST_F(Benchmarks, ABackendThatCrashesOrHangsIsARow) {
  use_hostile("crash");
  const auto crashed = benchmark(small_model(), options({"onnxruntime", "reference"}));
  ASSERT_TRUE(crashed.has_value()) << crashed.error().message;
  EXPECT_FALSE((*crashed)[0].ok);
  EXPECT_FALSE((*crashed)[0].latency.has_value());
  EXPECT_THAT((*crashed)[0].reason, HasSubstr("signal 11 (SIGSEGV) while loading its library"));
  EXPECT_EQ((*crashed)[0].code, ErrorCode::kUnavailable);
  EXPECT_FALSE((*crashed)[0].absent);  // it is there, and does harm
  EXPECT_TRUE((*crashed)[1].ok);
  use_hostile("hang");
  auto patient = options({"onnxruntime"});
  patient.limit = kSecond;
  const auto hung = benchmark(small_model(), patient);
  EXPECT_EQ((*hung)[0].code, ErrorCode::kDeadlineExceeded);
}

TEST_F(Benchmarks, WhatTheReferenceCannotRunIsNotChecked) {
  // An op of ONNX Runtime's own, which no schema of ours knows.
  auto graph = model::parse_text(
                   "graph \"g\" { opset 13 opset \"com.microsoft\" 1 input x: float32[N, 4] y: float32[N, 4] = com.microsoft::FastGelu(x) "
                   "output y }")
                   .value();
  const auto rows = benchmark({"net.onnx", model::write_onnx(graph).value()}, options({"onnxruntime", "reference"}));
  ASSERT_TRUE(rows.has_value());
  EXPECT_TRUE((*rows)[0].ok) << (*rows)[0].reason;
  EXPECT_FALSE((*rows)[0].nmse.has_value());
  EXPECT_THAT((*rows)[0].reason, testing::StartsWith("not checked: "));
  EXPECT_FALSE((*rows)[1].ok);
  EXPECT_THAT((*rows)[1].reason, HasSubstr("FastGelu"));
}

TEST_F(Benchmarks, ALimitThatNobodyKeepsIsARow) {
  auto wanted = options({"reference"});
  wanted.limit = 1;
  const auto rows = benchmark(small_model(), wanted);
  ASSERT_TRUE(rows.has_value());
  EXPECT_FALSE((*rows)[0].ok);
  EXPECT_EQ((*rows)[0].code, ErrorCode::kDeadlineExceeded);
}

TEST_F(Benchmarks, ABatchThatTheModelHasNotFailsInItsOwnRow) {
  auto wanted = options({"reference"});
  wanted.batches = {1, 4};
  const auto rows = benchmark(model_of("graph \"g\" { opset 13 input x: float32[1, 4] y = Relu(x) output y }"), wanted);
  ASSERT_TRUE(rows.has_value());
  EXPECT_TRUE((*rows)[0].ok);
  EXPECT_FALSE((*rows)[1].ok);
  EXPECT_THAT((*rows)[1].reason, HasSubstr("batch 4: found inputs of fixed extents"));
}

TEST_F(Benchmarks, DamagedModelsAreRefusedByEachBackendInItsWords) {
  const auto rows = benchmark({"bad.onnx", "these bytes are no model"}, options({"onnxruntime", "reference"}));
  ASSERT_TRUE(rows.has_value());
  for (const auto& row : *rows) {
    EXPECT_FALSE(row.ok);
    EXPECT_FALSE(row.reason.empty());
    EXPECT_TRUE(row.code.has_value());
  }
}

TEST_F(Benchmarks, DimensionsHaveNumbersByName) {
  auto wanted = options({"reference"});
  wanted.dims = {{"T", 7}};
  const auto two = model_of("graph \"g\" { opset 13 input x: float32[N, T] y = Relu(x) output y }");
  EXPECT_TRUE(benchmark(two, wanted).value()[0].ok);
  wanted.dims = {{"U", 7}};
  EXPECT_THAT(benchmark(two, wanted).value()[0].reason, HasSubstr("dimension 'U'"));
}

BenchmarkRow full_row() {
  BenchmarkRow row{.model = "a.onnx", .backend = "openvino", .device = "cpu", .isa = "avx2 fma", .threads = 2, .batch = 4};
  row.latency = Latency{.runs = 31, .min = 1500, .p50 = 2000, .p90 = 2500, .p99 = 3001};
  row.load_ms = 12.5;
  row.peak_rss_bytes = 4096;
  row.nmse = 1e-9;
  row.ok = true;
  return row;
}

TEST(BenchmarkRows, JsonHasTheFieldsInOrder) {
  const Json json = to_json(full_row());
  std::vector<std::string> keys;
  for (const auto& item : json.items()) keys.push_back(item.key());
  EXPECT_THAT(keys, ElementsAre("model", "backend", "device", "isa", "threads", "batch", "p50_us", "p90_us", "p99_us", "min_us", "runs",
                                "load_ms", "peak_rss_bytes", "nmse", "ok", "reason"));
  EXPECT_EQ(json["p50_us"], 2.0);
  const Json none = to_json(BenchmarkRow{.model = "a.onnx", .backend = "openvino", .reason = "not here"});
  EXPECT_TRUE(none["p50_us"].is_null());
  EXPECT_TRUE(none["runs"].is_null());
  EXPECT_TRUE(none["nmse"].is_null());
  EXPECT_EQ(none["ok"], false);
}

TEST(BenchmarkRows, ComeBackFromJson) {
  for (const double nmse : {1e-9, std::numeric_limits<double>::infinity()}) {
    auto row = full_row();
    row.nmse = nmse;
    const auto back = read_row(to_json(row));
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_EQ(to_json(*back), to_json(row));
  }
  const BenchmarkRow none{.model = "a.onnx", .backend = "openvino", .reason = "not here"};
  EXPECT_EQ(to_json(read_row(to_json(none)).value()), to_json(none));
  Json wrong = to_json(full_row());
  wrong["p50_us"] = -1;
  EXPECT_EQ(read_row(wrong).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_row(7).error().code, ErrorCode::kInvalidArgument);
}

TEST(BenchmarkRows, TableNamesFiguresAndReasons) {
  auto wrong = full_row();
  wrong.ok = false;
  wrong.reason = "wrong: found another answer";
  const auto table = to_table({full_row(), wrong, {.model = "a.onnx", .backend = "litert", .reason = "not here"}});
  EXPECT_THAT(table, HasSubstr("openvino"));
  EXPECT_THAT(table, HasSubstr("WRONG"));
  EXPECT_THAT(table, HasSubstr("wrong: found another answer"));
  EXPECT_THAT(table, HasSubstr("failed\n"));
  EXPECT_THAT(table, HasSubstr("not here"));
}

TEST(BenchmarkRows, WhatIsAbsentIsToldOnceAndHasNoLine) {
  auto other = full_row();
  other.model = "b.onnx";
  const BenchmarkRow absent{.model = "a.onnx", .backend = "qnn", .reason = "backend qnn: get it with x", .absent = true};
  const auto table = to_table({full_row(), absent, other, absent});
  EXPECT_THAT(table, testing::Not(HasSubstr("failed")));
  EXPECT_THAT(table, testing::EndsWith("not here: backend qnn: get it with x\n"));
  EXPECT_EQ(table.find("qnn"), table.rfind("backend qnn") + 8);
  EXPECT_EQ(to_json(absent)["reason"], "backend qnn: get it with x");
}

}  // namespace
}  // namespace moru::runtime
