// SPDX-License-Identifier: Apache-2.0
// ONNX's own tests of single nodes (Debian's libonnx-testdata) through our own engine, on every ISA of this machine.
#include <gmock/gmock.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "runtime/conformance/run_case.h"
#include "runtime/kernels/isa.h"

namespace moru::runtime {
namespace {

const Path kFolder = "/usr/share/libonnx-testdata/data/node";

/// Cases that must be right; the ops of the others are not the engine's, or wait for shapes that only a run knows.
constexpr std::ptrdiff_t kRight = 381;

class NativeNodes : public testing::TestWithParam<kernels::Isa> {};
INSTANTIATE_TEST_SUITE_P(Each, NativeNodes, testing::ValuesIn(kernels::machine_isas().begin(), kernels::machine_isas().end()),
                         [](const auto& isa) { return std::string(kernels::to_string(isa.param)); });

TEST_P(NativeNodes, AreRightOrUnsupported) {
  if (!std::filesystem::exists(kFolder)) GTEST_SKIP() << "the package libonnx-testdata is not installed";
  const auto cases = model::find_test_cases(kFolder);
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  setenv("MORU_ISA", std::string(kernels::to_string(GetParam())).c_str(), 1);
  const auto right = std::ranges::count_if(*cases, [](const model::TestCase& one) {
    const CaseResult result = run_case(one.folder, "native");
    EXPECT_NE(result.verdict, Verdict::kFail) << one.name << ": " << result.reason;
    return result.verdict == Verdict::kPass;
  });
  unsetenv("MORU_ISA");
  EXPECT_GE(right, kRight);
}

}  // namespace
}  // namespace moru::runtime
