// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/reshape.h"

namespace moru::runtime::engine {

extern const LowerSpec kLower_squeeze;
const LowerSpec kLower_squeeze{.name = "Squeeze", .domain = "", .lower = lower_reshape};

}  // namespace moru::runtime::engine
