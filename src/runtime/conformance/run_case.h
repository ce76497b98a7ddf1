// SPDX-License-Identifier: Apache-2.0
// One test case in ONNX's layout (model/formats/onnx/test_cases.h) on one backend.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/files.h"
#include "model/formats/onnx/test_cases.h"

namespace moru::runtime {

enum class Verdict : std::uint8_t {
  kPass,
  kFail,         ///< another answer than the right one, an error, or a case that cannot be read
  kUnsupported,  ///< an opset, op or type that the backend or the reader does not have
};
/// "pass", "fail", "unsupported"
std::string_view to_string(Verdict verdict);

struct CaseResult {
  Verdict verdict = Verdict::kFail;
  std::string reason;  ///< empty for a pass
};

struct CaseOptions {
  int threads = 1;
  std::uint64_t max_memory_bytes = std::uint64_t{4} << 30U;
  model::Tolerance tolerance = {};  ///< of cases that say nothing themselves
};

/// Loads the case's model and runs each of its data sets, in this process: a foreign backend may do here what it likes (run_cases.h
/// keeps that away). The folder is not trusted. `backend` is one of all_backends().
CaseResult run_case(const Path& folder, std::string_view backend, const CaseOptions& options = {});

}  // namespace moru::runtime
