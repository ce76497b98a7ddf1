// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json_fwd.h"
#include "edge/streams/item.h"

namespace moru::edge {

/// The item as records show it: {"seq", "time" (wall clock, ns), its number and text fields, "latency_us"}. `fields` names
/// the fields and their order; empty: all but notes. Tensors are left out. `now`: monotonic, for the latency.
Json item_json(const Item& item, const std::vector<std::string>& fields, TimeNs now);

}  // namespace moru::edge
