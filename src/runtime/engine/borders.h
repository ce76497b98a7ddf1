// SPDX-License-Identifier: Apache-2.0
// Between the caller's memory and ours.
#pragma once

#include <memory>

#include "runtime/engine/step.h"
#include "runtime/kernels/kernels.h"

namespace moru::runtime::engine {

/// Copies; `flip` moves int8 to its level in uint8, or back.
std::unique_ptr<Step> make_border(BufferId from, BufferId to, std::size_t bytes, bool flip, const kernels::Kernels& kernels);

}  // namespace moru::runtime::engine
