// SPDX-License-Identifier: Apache-2.0
// What of ONNX is not here, and how much of its own tests is right. docs/ops.md prints it; the conformance test holds it to
// what it finds.
#pragma once

#include <span>
#include <string_view>

namespace moru::model {

/// ONNX's tests of single nodes (Debian's libonnx-testdata 1.12), and how many of them the references pass.
inline constexpr int kNodeCases = 932;
inline constexpr int kNodeCasesRight = 869;

/// An op of ONNX that has no file here, and why.
struct AbsentOp {
  std::string_view name;
  std::string_view domain;
  std::string_view reason;
  std::span<const std::string_view> cases;  ///< of ONNX's tests, as in OpGap
};

std::span<const AbsentOp> absent_ops();

}  // namespace moru::model
