// SPDX-License-Identifier: Apache-2.0
// The worker's side of test cases.
#pragma once

#include <string_view>

#include "runtime/conformance/run_case.h"
#include "runtime/worker/requests.h"

namespace moru::runtime {

/// run_case() in a process that may from its first case on allocate only so much more as that allows.
CaseResult run_hosted_case(std::string_view backend, const CaseRequest& request);

}  // namespace moru::runtime
