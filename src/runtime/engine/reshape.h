// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// The output is input 0 under another shape: it lies where that lies, once that is plain.
Status lower_reshape(Lowering& lowering, const model::Node& node);

}  // namespace moru::runtime::engine
