// SPDX-License-Identifier: Apache-2.0
// The second half of a layered drawing: where in its row each item stands.
#pragma once

#include <vector>

#include "model/inspect/layers.h"

namespace moru::model::layout {

/// The middle of each item from the left. Items of a layer keep their order and a gap between them.
std::vector<double> make_columns(const Layers& layers);

}  // namespace moru::model::layout
