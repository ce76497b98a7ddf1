// SPDX-License-Identifier: Apache-2.0
// Two float tensors, element by element, stretched to one shape.
#pragma once

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// Lowers a node with two inputs and one output. kUnsupported for levels.
Status lower_binary(Lowering& lowering, const model::Node& node, kernels::BinaryMap map);

}  // namespace moru::runtime::engine
