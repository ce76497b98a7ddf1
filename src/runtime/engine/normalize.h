// SPDX-License-Identifier: Apache-2.0
// Channels of an image by the image's own statistics.
#pragma once

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// Lowers a node of X [N, C, ...] and constants scale [C] and bias [C]: each of `groups` runs of channels of an image has mean 0 and
/// variance 1 before scale and bias.
Status lower_normalization(Lowering& lowering, const model::Node& node, std::int64_t groups);

}  // namespace moru::runtime::engine
