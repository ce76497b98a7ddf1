// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/reshape.h"

namespace moru::runtime::engine {

extern const LowerSpec kLower_flatten;
const LowerSpec kLower_flatten{.name = "Flatten", .domain = "", .lower = lower_reshape};

}  // namespace moru::runtime::engine
