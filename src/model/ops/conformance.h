// SPDX-License-Identifier: Apache-2.0
// What of ONNX is not here, and how much of its own tests is right. docs/ops.md prints it; the conformance test holds it to
// what it finds.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace moru::model {

/// ONNX's tests of single nodes (Debian's libonnx-testdata 1.12), how many of them the references pass, and the newest opset that they
/// know. Those of the newest release are run by scripts/measure_models, to which the gaps of ops that are newer belong.
inline constexpr int kNodeCases = 932;
inline constexpr int kNodeCasesRight = 869;
inline constexpr std::int64_t kNodeCasesOpset = 17;

/// An op of ONNX that has no file here, and why; all of a domain, when its name is "*".
struct AbsentOp {
  std::string_view name;
  std::string_view domain;
  std::int64_t since;  ///< the first opset that has it; 0 for a domain of its own that only newer tests know
  std::string_view reason;
  std::span<const std::string_view> cases = {};  ///< of ONNX's tests, as in OpGap
};

std::span<const AbsentOp> absent_ops();

}  // namespace moru::model
