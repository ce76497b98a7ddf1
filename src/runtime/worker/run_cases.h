// SPDX-License-Identifier: Apache-2.0
// Many test cases on one backend, where none can harm the others: they run in a worker, which is made anew after one that crashed it, took
// too long or too much memory.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "model/formats/onnx/test_cases.h"
#include "runtime/conformance/run_case.h"
#include "runtime/worker/worker.h"

namespace moru::runtime {

struct CasesOptions {
  CaseOptions each = {};          ///< max_memory_bytes also limits what a worker may allocate
  TimeNs timeout = 60 * kSecond;  ///< for one case
};

/// Called before each case.
using CaseObserver = std::function<void(std::size_t done, std::string_view name)>;

/// One result a case, in their order. Errors: kNotFound (no such backend), kUnavailable (it is not here), kInvalidArgument (threads),
/// kCancelled (stop_requested()), those of starting a worker.
Result<std::vector<CaseResult>> run_cases(std::span<const model::TestCase> cases, std::string_view backend, const CasesOptions& options,
                                          const WorkerProgram& program, const CaseObserver& observe = {});

}  // namespace moru::runtime
