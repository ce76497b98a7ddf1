// SPDX-License-Identifier: Apache-2.0
// Ops that only move elements. Where each element of an output comes from is asked of the op's definition, once, by moving the numbers
// 0, 1, 2, ... in place of the elements; what is left to do in a run is to copy.
#pragma once

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// Lowers a node that moves the elements of input 0; its other inputs are constants. `filler` is an input whose one element stands where
/// none is moved to (Pad), if there is one.
Status lower_movement(Lowering& lowering, const model::Node& node, std::optional<std::size_t> filler = std::nullopt);

}  // namespace moru::runtime::engine
