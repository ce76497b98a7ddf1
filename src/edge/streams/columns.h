// SPDX-License-Identifier: Apache-2.0
// Which fields of a link's items stand in a table: one column each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "edge/streams/schema.h"

namespace moru::edge {

/// Those of `names`, or, where it is empty, every number and text but notes. Errors: kInvalidArgument, with `where` in front: a field that
/// is not there, is a tensor or stands twice, none at all, or one whose type must be known (`typed`) and is not.
Result<std::vector<FieldSpec>> table_columns(const Schema& schema, const std::vector<std::string>& names, bool typed,
                                             std::string_view where);

}  // namespace moru::edge
