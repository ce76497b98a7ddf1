// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/reshape.h"

namespace moru::runtime::engine {

extern const LowerSpec kLower_unsqueeze;
const LowerSpec kLower_unsqueeze{.name = "Unsqueeze", .domain = "", .lower = lower_reshape};

}  // namespace moru::runtime::engine
