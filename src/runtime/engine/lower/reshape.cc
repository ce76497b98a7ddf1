// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/reshape.h"

namespace moru::runtime::engine {

extern const LowerSpec kLower_reshape;
const LowerSpec kLower_reshape{.name = "Reshape", .domain = "", .lower = lower_reshape};

}  // namespace moru::runtime::engine
