// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "solutions/factory/report.h"
#include "wire/messages.h"

namespace moru::factory {

/// Fills the report's figures of the lines from what the hub has stored (`records`, as GET /v1/records gives them) and
/// from what the nodes last reported. An item counts as missed when its source emitted it and no record of it is
/// stored, or when the source could not emit it in time. Errors: kCorrupt for a record without the fields it must have.
Status evaluate_line(const std::vector<Json>& records, const std::vector<wire::NodeState>& nodes, Report& report);

}  // namespace moru::factory
