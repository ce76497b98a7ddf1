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

#include "core/digest.h"
#include "core/json.h"
#include "core/process.h"
#include "core/random.h"
#include "core/text.h"
#include "model/formats/npy/npy.h"
#include "model/formats/tflite/tflite.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

/// A model and what it is fed.
struct Job {
  std::string name;
  Graph graph;
  Path file;
  std::vector<Tensor> inputs;
  bool reference = true;  ///< against reference kernels
};

/// Of normally distributed floats the mean square of the difference over that of the value: what rounding leaves of sums.
constexpr double kNmse = 1e-6;

bool has_oracle() { return std::filesystem::exists(Path(MORU_LITERT_FOLDER) / "ai_edge_litert"); }

template <class T>
Tensor filled(const Dims& dims, auto next) {
  Tensor tensor = Tensor::create(DTypeOf<T>::value, dims).value();
  for (T& value : tensor.mutable_data<T>()) value = static_cast<T>(next());
  return tensor;
}

/// Small integers of wide types stand for biases and counts.
Tensor random_tensor(const ValueType& type, Rng& rng) {
  Dims dims;
  for (const Dim& dim : *type.shape) dims.push_back(dim.known() ? dim.value : 1);
  const auto below = [&](std::int64_t low, std::uint64_t count) {
    return [&rng, low, count] { return low + static_cast<std::int64_t>(rng.below(count)); };
  };
  switch (*type.dtype) {
    case DType::kInt8: return filled<std::int8_t>(dims, below(-128, 256));
    case DType::kUInt8: return filled<std::uint8_t>(dims, below(0, 256));
    case DType::kInt16: return filled<std::int16_t>(dims, below(-32768, 65536));
    case DType::kInt32: return filled<std::int32_t>(dims, below(-1000, 2001));
    case DType::kInt64: return filled<std::int64_t>(dims, below(-1000, 2001));
    case DType::kBool: return filled<bool>(dims, below(0, 2));
    default: return filled<float>(dims, [&] { return 2 * rng.normal(); });
  }
}

std::vector<Tensor> random_inputs(const Graph& graph, std::string_view name) {
  Rng rng(std::strtoull(sha256_hex(name).substr(0, 15).c_str(), nullptr, 16));
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs) inputs.push_back(random_tensor(graph.value(id).type, rng));
  return inputs;
}

/// "int8[2,3] @0.1:-3" as the text form has it: "int8[2,3] quant {...}".
std::string type_text(std::string_view value) {
  const std::size_t at = value.find('@');
  std::string type(trim(value.substr(0, at)));
  if (at == std::string_view::npos) return type;
  const std::string_view quant = value.substr(at + 1);
  std::string scales, zeros, axis = "0";
  if (quant[0] == '[') {
    const std::size_t end = quant.find(']');
    for (const auto scale : split(quant.substr(1, end - 1), ' ')) {
      scales += (scales.empty() ? "" : ", ") + std::string(scale);
      zeros += zeros.empty() ? "0" : ", 0";
    }
    axis = quant.substr(end + 2);
  } else {
    scales = quant.substr(0, quant.find(':'));
    zeros = quant.substr(quant.find(':') + 1);
  }
  return fmt::format("{} quant {{scales = [{}], zero_points = [{}], axis = {}}}", type, scales, zeros, trim(axis));
}

/// The graph that a line of the table describes.
std::string graph_text(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::size_t arrow = line.find("->");
  const std::size_t brace = std::min(line.find('{', arrow), line.size());
  std::string text = "graph \"case\" {\n", uses, results, outputs;
  int number = 0;
  for (const auto part : split(line.substr(colon + 1, arrow - colon - 1), ';')) {
    const std::string_view value = trim(part);
    const std::string name = value == "_" ? "_" : fmt::format("i{}", number++);
    uses += (uses.empty() ? "" : ", ") + name;
    if (value == "_" || value.empty()) continue;
    const std::size_t equals = value.find('=');
    const std::string type = type_text(value.substr(0, equals));
    if (equals == std::string_view::npos) {
      text += fmt::format("  input {}: {}\n", name, type);
      continue;
    }
    std::string elements;
    for (const auto element : split(trim(value.substr(equals + 1)), ' ')) elements += (elements.empty() ? "" : ", ") + std::string(element);
    const std::string plain(type.substr(0, type.find(" quant")));
    text += fmt::format("  init {}{} = {} {{{}}}\n", name, plain == type ? "" : ": " + type, plain, elements);
  }
  number = 0;
  for (const auto part : split(line.substr(arrow + 2, brace - arrow - 2), ';')) {
    const std::string name = fmt::format("o{}", number++);
    results += fmt::format("{}{}: {}", results.empty() ? "" : ", ", name, type_text(trim(part)));
    outputs += fmt::format("  output {}\n", name);
  }
  return text + fmt::format("  {} = tflite::{}({}) {}\n{}}}", results, line.substr(0, colon), uses, line.substr(brace), outputs);
}

/// Runs all jobs through the oracle; the outputs of each, or its message.
std::vector<Result<std::vector<Tensor>>> run_oracle(const std::vector<Job>& jobs, const Path& folder) {
  Json list = Json::array();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Json inputs = Json::array();
    for (std::size_t j = 0; j < jobs[i].inputs.size(); ++j) {
      const Path file = folder / fmt::format("{}_{}.npy", i, j);
      EXPECT_TRUE(save_npy(jobs[i].inputs[j], file).has_value());
      inputs.push_back(file.string());
    }
    list.push_back({{"model", jobs[i].file.string()},
                    {"inputs", inputs},
                    {"outputs", (folder / fmt::format("{}_out", i)).string()},
                    {"reference", jobs[i].reference}});
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
    for (std::size_t j = 0; message.empty() && j < jobs[i].graph.outputs.size(); ++j)
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
    const Status saved = save_tflite(job.graph, job.file);
    EXPECT_TRUE(saved.has_value()) << job.name << ": " << (saved ? "" : saved.error().message);
  }
  const auto theirs = run_oracle(with_files, folder->path());
  for (std::size_t i = 0; i < with_files.size(); ++i) {
    SCOPED_TRACE(with_files[i].name);
    EXPECT_TRUE(theirs[i].has_value()) << "the oracle says: " << theirs[i].error().message;
    const auto ours = evaluate(with_files[i].graph, with_files[i].inputs);
    EXPECT_TRUE(ours.has_value()) << (ours ? "" : ours.error().message);
    if (!ours || !theirs[i]) continue;
    for (std::size_t j = 0; j < ours->size(); ++j) expect_same((*ours)[j], (*theirs[i])[j]);
  }
}

TEST(TfliteOracle, EachOpIsAsInLiteRt) {
  if (!has_oracle()) GTEST_SKIP() << MORU_LITERT_FOLDER << " is not there, expected LiteRT; run scripts/get_deps dev";
  const auto table = read_file(MORU_ORACLE_CASES);
  ASSERT_TRUE(table.has_value()) << table.error().message;
  std::vector<Job> jobs;
  for (const auto part : split(*table, '\n')) {
    std::string line(trim(part));
    if (line.empty() || line[0] == '#') continue;
    const bool reference = line[0] != '~';
    if (!reference) line.erase(0, 1);
    auto graph = parse_text(graph_text(line));
    ASSERT_TRUE(graph.has_value()) << line << ": " << graph.error().message << "\n" << graph_text(line);
    const Status inferred = infer_shapes(*graph);
    EXPECT_TRUE(inferred.has_value()) << line << ": " << (inferred ? "" : inferred.error().message);
    if (!inferred) continue;
    auto inputs = random_inputs(*graph, line);
    jobs.push_back({line, std::move(*graph), {}, std::move(inputs), reference});
  }
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
    jobs.push_back({file.filename().string(), *graph, file, inputs});
    jobs.push_back({file.filename().string() + ", written by us", std::move(*graph), {}, std::move(inputs)});
  }
  compare(jobs);
}

}  // namespace
}  // namespace moru::model
