// SPDX-License-Identifier: Apache-2.0
// Resize where its elements are computed: one axis after the other, by the weights of the op's definition.
#pragma once

#include "model/ops/support/resample.h"
#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// Adds y, in the layout of x, floats both. `resizes` has an entry an axis of the graph's.
Status add_resample(Lowering& lowering, const Stored& x, const Stored& y, std::span<const model::ops::AxisResize> resizes,
                    const model::ops::Resampling& how);

}  // namespace moru::runtime::engine
