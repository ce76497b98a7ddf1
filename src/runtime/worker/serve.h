// SPDX-License-Identifier: Apache-2.0
// The main loop of a worker's process.
#pragma once

#include "core/process.h"
#include "core/result.h"

namespace moru::runtime {

/// Answers the requests that come over the descriptor until it is closed. kInvalidArgument when it is no socket: the process was not
/// started as a worker.
Status serve(int channel = kChannel);

}  // namespace moru::runtime
