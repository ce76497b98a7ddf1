// SPDX-License-Identifier: Apache-2.0
// ONNX's own tests of single ops and small networks (Debian's libonnx-testdata) through the reader and the reference
// implementations. Each is right, or a gap beside its op says why not.
#include "model/ops/conformance.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "model/formats/onnx/onnx.h"
#include "model/formats/onnx/test_cases.h"
#include "model/ops/op.h"

namespace moru::model {
namespace {

const Path kFolder = "/usr/share/libonnx-testdata/data";

/// Cases that may fail without a gap that says why.
constexpr std::size_t kMostUnexplained = 0;

/// Why a test does not pass; "" when it does.
std::string run_case(const Path& folder) {
  const auto graph = load_onnx(folder / "model.onnx");
  if (!graph) return graph.error().message;
  const auto sets = find_data_sets(folder);
  if (!sets) return sets.error().message;
  for (const Path& path : *sets) {
    const auto set = read_data_set(path);
    if (!set) return set.error().message;
    const auto outputs = evaluate(*graph, set->inputs);
    if (!outputs) return outputs.error().message;
    if (auto wrong = difference(*outputs, set->outputs); !wrong.empty()) return wrong;
  }
  return "";
}

/// Why each test of some folders does not pass, by name.
std::map<std::string, std::string> run_cases(std::initializer_list<const char*> parts) {
  std::map<std::string, std::string> cases;
  for (const char* part : parts) {
    const auto found = find_test_cases(kFolder / part);
    EXPECT_TRUE(found.has_value()) << found.error().message;
    for (const TestCase& one : *found) EXPECT_TRUE(cases.emplace(one.name, run_case(one.folder)).second) << one.folder;
  }
  return cases;
}

bool names(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

struct Gap {
  std::string_view cases;
  bool is_newer;  ///< of an op that came after these tests
};

/// A reason for each case that does not pass: those of ops that are there, and of ops that are not.
std::vector<Gap> all_gaps() {
  std::vector<Gap> gaps;
  for (const OpSpec* op : all_ops()) {
    for (const OpGap& gap : op->gaps) gaps.push_back({gap.cases, op->since > kNodeCasesOpset});
  }
  for (const AbsentOp& op : absent_ops()) {
    for (const std::string_view cases : op.cases) gaps.push_back({cases, op.since == 0 || op.since > kNodeCasesOpset});
  }
  return gaps;
}

/// Each case passes, or a gap names it; each gap names cases, none of which passes.
void check_cases(const std::map<std::string, std::string>& cases) {
  const auto gaps = all_gaps();
  std::size_t unexplained = 0;
  std::string list;
  for (const auto& [name, wrong] : cases) {
    const bool named = std::ranges::any_of(gaps, [&](const Gap& gap) { return names(gap.cases, name); });
    if (wrong.empty()) {
      EXPECT_FALSE(named) << name << ": found it right, expected no gap that names it";
    } else if (!named) {
      ++unexplained;
      list += fmt::format("  {}: {}\n", name, wrong);
    }
  }
  for (const Gap& gap : gaps) {
    EXPECT_TRUE(gap.is_newer || std::ranges::any_of(cases, [&](const auto& one) { return names(gap.cases, one.first); }))
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
