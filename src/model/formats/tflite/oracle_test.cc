// SPDX-License-Identifier: Apache-2.0
// Our references against LiteRT's reference kernels: integers to the bit, floats to rounding. One op a model
// (testdata/oracle_cases.txt), and whole models with seeded inputs. All models run in one process of the oracle.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "core/json.h"
#include "core/process.h"
#include "model/formats/npy/npy.h"
#include "model/formats/tflite/tflite.h"
#include "model/ops/op.h"
#include "tests/support/tflite_cases.h"

namespace moru::model {
namespace {

struct Job {
  TfliteCase what;
  Path file = {};  ///< written when there is none
};

/// Of normally distributed floats the mean square of the difference over that of the value: what rounding leaves of sums.
constexpr double kNmse = 1e-6;

bool has_oracle() { return std::filesystem::exists(Path(MORU_LITERT_FOLDER) / "ai_edge_litert"); }

/// Runs all jobs through the oracle; the outputs of each, or its message.
std::vector<Result<std::vector<Tensor>>> run_oracle(const std::vector<Job>& jobs, const Path& folder) {
  Json list = Json::array();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Json inputs = Json::array();
    for (std::size_t j = 0; j < jobs[i].what.inputs.size(); ++j) {
      const Path file = folder / fmt::format("{}_{}.npy", i, j);
      EXPECT_TRUE(save_npy(jobs[i].what.inputs[j], file).has_value());
      inputs.push_back(file.string());
    }
    list.push_back({{"model", jobs[i].file.string()},
                    {"inputs", inputs},
                    {"outputs", (folder / fmt::format("{}_out", i)).string()},
                    {"reference", jobs[i].what.reference}});
  }
  EXPECT_TRUE(write_file_atomic(folder / "jobs.json", list.dump()).has_value());
  ProcessOptions options;
  options.arguments = {"/usr/bin/python3", MORU_LITERT_ORACLE, MORU_LITERT_FOLDER, (folder / "jobs.json").string(),
                       (folder / "results.json").string()};
  options.output_file = folder / "log";
  auto process = Process::start(options);
  EXPECT_TRUE(process.has_value()) << process.error().message;
  const auto status = process ? process->wait_for(240 * kSecond) : std::nullopt;
  EXPECT_TRUE(status && status->code == 0) << read_file(folder / "log").value_or("");
  const auto results = parse_json(read_file(folder / "results.json").value_or("[]"), "results");
  std::vector<Result<std::vector<Tensor>>> all;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const std::string message = results && i < results->size() ? (*results)[i].get<std::string>() : "the oracle did not come so far";
    std::vector<Tensor> outputs;
    for (std::size_t j = 0; message.empty() && j < jobs[i].what.graph.outputs.size(); ++j)
      outputs.push_back(load_npy(folder / fmt::format("{}_out{}.npy", i, j)).value_or(Tensor()));
    if (message.empty()) {
      all.emplace_back(std::move(outputs));
    } else {
      all.emplace_back(fail(ErrorCode::kUnavailable, message));
    }
  }
  return all;
}

void expect_close(std::span<const float> ours, std::span<const float> theirs) {
  double error = 0, power = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ASSERT_EQ(std::isnan(ours[i]), std::isnan(theirs[i])) << "element " << i;
    if (std::isnan(ours[i]) || ours[i] == theirs[i]) continue;
    error += std::pow(static_cast<double>(ours[i]) - static_cast<double>(theirs[i]), 2);
    power += std::pow(static_cast<double>(theirs[i]), 2);
  }
  EXPECT_LE(error, kNmse * std::max(power, 1e-12)) << "NMSE " << error / std::max(power, 1e-12);
}

void expect_same(const Tensor& ours, const Tensor& theirs) {
  ASSERT_EQ(ours.dtype(), theirs.dtype());
  ASSERT_EQ(ours.dims(), theirs.dims());
  if (ours.dtype() == DType::kFloat32) return expect_close(ours.data<float>(), theirs.data<float>());
  if (same_bits(ours, theirs)) return;
  std::size_t different = 0;
  const std::size_t size = ours.size_bytes() / static_cast<std::size_t>(std::max<std::int64_t>(ours.count(), 1));
  for (std::size_t i = 0; i < ours.size_bytes(); i += size)
    different += std::ranges::equal(ours.bytes().subspan(i, size), theirs.bytes().subspan(i, size)) ? 0 : 1;
  ADD_FAILURE() << different << " of " << ours.count() << " elements differ\nours   " << to_text(ours, {.max_elements = 500}) << "\ntheirs "
                << to_text(theirs, {.max_elements = 500});
}

void compare(const std::vector<Job>& jobs) {
  auto folder = TempFolder::create("moru-oracle");
  ASSERT_TRUE(folder.has_value());
  std::vector<Job> with_files = jobs;
  for (std::size_t i = 0; i < with_files.size(); ++i) {
    Job& job = with_files[i];
    if (!job.file.empty()) continue;
    job.file = folder->path() / fmt::format("{}.tflite", i);
    const Status saved = save_tflite(job.what.graph, job.file);
    EXPECT_TRUE(saved.has_value()) << job.what.name << ": " << (saved ? "" : saved.error().message);
  }
  const auto theirs = run_oracle(with_files, folder->path());
  for (std::size_t i = 0; i < with_files.size(); ++i) {
    SCOPED_TRACE(with_files[i].what.name);
    EXPECT_TRUE(theirs[i].has_value()) << "the oracle says: " << theirs[i].error().message;
    const auto ours = evaluate(with_files[i].what.graph, with_files[i].what.inputs);
    EXPECT_TRUE(ours.has_value()) << (ours ? "" : ours.error().message);
    if (!ours || !theirs[i]) continue;
    for (std::size_t j = 0; j < ours->size(); ++j) expect_same((*ours)[j], (*theirs[i])[j]);
  }
}

TEST(TfliteOracle, EachOpIsAsInLiteRt) {
  if (!has_oracle()) GTEST_SKIP() << MORU_LITERT_FOLDER << " is not there, expected LiteRT; run scripts/get_deps dev";
  auto cases = tflite_cases(MORU_ORACLE_CASES);
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  std::vector<Job> jobs;
  for (TfliteCase& one : *cases) jobs.push_back({std::move(one)});
  EXPECT_GT(jobs.size(), 100U);
  compare(jobs);
}

TEST(TfliteOracle, WholeModelsAreAsInLiteRt) {
  if (!has_oracle()) GTEST_SKIP() << MORU_LITERT_FOLDER << " is not there, expected LiteRT; run scripts/get_deps dev";
  const char* root = std::getenv("MORU_TEST_DATA");
  if (root == nullptr) GTEST_SKIP() << "MORU_TEST_DATA is not set, expected the folder with models to read";
  std::vector<Path> files;
  for (const char* folder : {"models", "mlperf_tiny"}) {
    for (const auto& entry : std::filesystem::directory_iterator(Path(root) / folder)) {
      if (entry.path().extension() == ".tflite") files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  ASSERT_GE(files.size(), 10U);
  std::vector<Job> jobs;
  for (const Path& file : files) {
    auto graph = load_tflite(file);
    ASSERT_TRUE(graph.has_value()) << graph.error().message;
    auto inputs = random_inputs(*graph, file.filename().string());
    jobs.push_back({{file.filename().string(), *graph, inputs}, file});
    jobs.push_back({{file.filename().string() + ", written by us", std::move(*graph), std::move(inputs)}});
  }
  compare(jobs);
}

}  // namespace
}  // namespace moru::model
