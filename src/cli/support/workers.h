// SPDX-License-Identifier: Apache-2.0
// Workers of this very program: `moru worker`.
#pragma once

#include "runtime/worker/worker.h"

namespace moru::cli {

/// By the kernel's link, so that it is this program even after its file was replaced.
inline runtime::WorkerProgram own_worker() { return {"/proc/self/exe", "worker"}; }

}  // namespace moru::cli
