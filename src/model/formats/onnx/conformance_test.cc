// SPDX-License-Identifier: Apache-2.0
// ONNX's own tests of single ops and small networks (Debian's libonnx-testdata) through the reader and the reference
// implementations. Each is right, or a gap beside its op says why not.
#include "model/ops/conformance.h"

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

/// Cases that may fail without a gap that says why.
constexpr std::size_t kMostUnexplained = 0;

/// As ONNX's own runner compares: relative 1e-3, and 1e-5 for values near zero. Integers are compared exactly.
constexpr double kRelative = 1e-3;
constexpr double kAbsolute = 1e-5;

template <class T>
std::string difference(std::span<const T> found, std::span<const T> expected) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto a = static_cast<double>(found[i]);
    const auto b = static_cast<double>(expected[i]);
    if (a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= kAbsolute + kRelative * std::abs(b)) continue;
    return fmt::format("element {}: found {}, expected {}", i, a, b);
  }
  return "";
}

/// "" when they agree.
std::string difference(const Tensor& found, const Tensor& expected) {
  if (found.dtype() != expected.dtype() || found.dims() != expected.dims()) {
    return fmt::format("found {} {}, expected {} {}", to_string(found.dtype()), to_string(found.dims()), to_string(expected.dtype()),
                       to_string(expected.dims()));
  }
  std::string text;
  bool is_float = false;
  visit_element_type(found.dtype(), [&]<class T>() {
    if constexpr (kIsFloat<T>) {
      is_float = true;
      text = difference(found.data<T>(), expected.data<T>());
    }
  });
  if (is_float) return text;
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

/// Why a test does not pass; "" when it does.
std::string run_case(const Path& folder) {
  const auto graph = load_onnx(folder / "model.onnx");
  if (!graph) return graph.error().message;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    const auto wrong = run_data_set(*graph, entry.path());
    if (!wrong) return wrong.error().message;
    if (!wrong->empty()) return *wrong;
  }
  return "";
}

/// Why each test of some folders does not pass, by name.
std::map<std::string, std::string> run_cases(std::initializer_list<const char*> parts) {
  std::map<std::string, std::string> cases;
  for (const char* part : parts) {
    for (const auto& entry : std::filesystem::directory_iterator(kFolder / part)) {
      EXPECT_TRUE(cases.emplace(entry.path().filename().string(), run_case(entry.path())).second) << entry.path();
    }
  }
  return cases;
}

bool names(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

/// A reason for each case that does not pass: those of ops that are there, and of ops that are not.
std::vector<OpGap> all_gaps() {
  std::vector<OpGap> gaps;
  for (const OpSpec* op : all_ops()) gaps.insert(gaps.end(), op->gaps.begin(), op->gaps.end());
  for (const AbsentOp& op : absent_ops()) {
    for (const std::string_view cases : op.cases) gaps.push_back({cases, op.reason});
  }
  return gaps;
}

/// Each case passes, or a gap names it; each gap names cases, none of which passes.
void check_cases(const std::map<std::string, std::string>& cases) {
  const auto gaps = all_gaps();
  std::size_t unexplained = 0;
  std::string list;
  for (const auto& [name, wrong] : cases) {
    const bool named = std::ranges::any_of(gaps, [&](const OpGap& gap) { return names(gap.cases, name); });
    if (wrong.empty()) {
      EXPECT_FALSE(named) << name << ": found it right, expected no gap that names it";
    } else if (!named) {
      ++unexplained;
      list += fmt::format("  {}: {}\n", name, wrong);
    }
  }
  for (const OpGap& gap : gaps) {
    EXPECT_TRUE(std::ranges::any_of(cases, [&](const auto& one) { return names(gap.cases, one.first); }))
        << "gap '" << gap.cases << "': found no such case, expected one";
  }
  EXPECT_LE(unexplained, kMostUnexplained) << "found cases that do not pass and that no gap names:\n" << list;
}

TEST(OnnxConformance, EachCaseIsRightOrAGapSaysWhyNot) {
  if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << "the package libonnx-testdata is not installed";
  auto cases = run_cases({"node"});
  const auto right = static_cast<int>(std::ranges::count_if(cases, [](const auto& one) { return one.second.empty(); }));
  fmt::print("{} of ONNX's {} tests of nodes are right\n", right, cases.size());
  EXPECT_EQ(std::ssize(cases), kNodeCases);
  EXPECT_EQ(right, kNodeCasesRight) << "model/ops/conformance.h and docs/ops.md say another number";
  cases.merge(run_cases({"simple", "pytorch-converted", "pytorch-operator"}));
  check_cases(cases);
}

}  // namespace
}  // namespace moru::model
