// SPDX-License-Identifier: Apache-2.0
// ONNX's own tests of single ops and small networks (Debian's libonnx-testdata) through the reader and the reference
// implementations. Models whose ops or types we do not have are counted; every other answer must be right.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "model/formats/onnx/onnx.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

const Path kFolder = "/usr/share/libonnx-testdata/data";

/// As ONNX's own runner compares: relative 1e-3, and 1e-5 for values near zero. Integers are compared exactly.
constexpr double kRelative = 1e-3;
constexpr double kAbsolute = 1e-5;

template <class T>
std::string difference(std::span<const T> found, std::span<const T> expected) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    if constexpr (std::is_floating_point_v<T>) {
      if (found[i] == expected[i] || (std::isnan(found[i]) && std::isnan(expected[i]))) continue;
      const double error = std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
      if (error <= kAbsolute + kRelative * std::abs(static_cast<double>(expected[i]))) continue;
    } else if (found[i] == expected[i]) {
      continue;
    }
    return fmt::format("element {}: found {}, expected {}", i, found[i], expected[i]);
  }
  return "";
}

/// "" when they agree.
std::string difference(const Tensor& found, const Tensor& expected) {
  if (found.dtype() != expected.dtype() || found.dims() != expected.dims()) {
    return fmt::format("found {} {}, expected {} {}", to_string(found.dtype()), to_string(found.dims()), to_string(expected.dtype()),
                       to_string(expected.dims()));
  }
  if (found.dtype() == DType::kFloat32) return difference(found.data<float>(), expected.data<float>());
  if (found.dtype() == DType::kFloat64) return difference(found.data<double>(), expected.data<double>());
  return same_bits(found, expected) ? "" : "the elements differ";
}

/// input_0.pb, input_1.pb, ... of one data set.
Result<std::vector<Tensor>> read_tensors(const Path& folder, std::string_view kind) {
  std::vector<Tensor> tensors;
  while (true) {
    const Path path = folder / fmt::format("{}_{}.pb", kind, tensors.size());
    if (!std::filesystem::exists(path)) return tensors;
    MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(path));
    MORU_ASSIGN_OR_RETURN(Tensor tensor, read_onnx_tensor(bytes, path.string()));
    tensors.push_back(std::move(tensor));
  }
}

/// Runs one data set; a Status for what is not supported, text for a wrong answer.
Result<std::string> run_data_set(const Graph& graph, const Path& folder) {
  MORU_ASSIGN_OR_RETURN(const auto inputs, read_tensors(folder, "input"));
  MORU_ASSIGN_OR_RETURN(const auto expected, read_tensors(folder, "output"));
  MORU_ASSIGN_OR_RETURN(const auto outputs, evaluate(graph, inputs));
  if (outputs.size() != expected.size()) return fmt::format("found {} outputs, expected {}", outputs.size(), expected.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (const auto text = difference(outputs[i], expected[i]); !text.empty()) return fmt::format("output {}: {}", i, text);
  }
  return "";
}

struct Tally {
  int passed = 0;
  int unsupported = 0;
};

void run_model(const Path& folder, Tally& tally) {
  SCOPED_TRACE(folder.filename().string());
  const auto graph = load_onnx(folder / "model.onnx");
  if (!graph) {
    ++tally.unsupported;
    // What we do not have is refused as such, or as an output that our op does not have (masks, indices, statistics of
    // training); anything else would be a reader that refuses a right model.
    const Error& error = graph.error();
    EXPECT_TRUE(error.code == ErrorCode::kUnsupported || error.message.ends_with("outputs, expected at most 1")) << error.message;
    return;
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    const auto wrong = run_data_set(*graph, entry.path());
    if (!wrong) {
      ++tally.unsupported;
      EXPECT_EQ(wrong.error().code, ErrorCode::kUnsupported) << wrong.error().message;
    } else {
      EXPECT_EQ(*wrong, "");
      if (wrong->empty()) ++tally.passed;
    }
  }
}

TEST(OnnxConformance, EveryTestThatWeCanRunIsRight) {
  if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << "the package libonnx-testdata is not installed";
  std::vector<Path> models;
  for (const char* part : {"node", "simple", "pytorch-converted", "pytorch-operator"}) {
    for (const auto& entry : std::filesystem::directory_iterator(kFolder / part)) models.push_back(entry.path());
  }
  std::ranges::sort(models);
  Tally tally;
  for (const Path& folder : models) run_model(folder, tally);
  RecordProperty("passed", tally.passed);
  RecordProperty("unsupported", tally.unsupported);
  fmt::print("{} of ONNX's tests right, {} not supported\n", tally.passed, tally.unsupported);
  EXPECT_GT(tally.passed, 100) << "the ops that are there cover more than this";
}

}  // namespace
}  // namespace moru::model
