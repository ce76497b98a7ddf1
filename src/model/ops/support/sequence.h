// SPDX-License-Identifier: Apache-2.0
// Ops on sequences and optional values. A value here is a tensor; one that is none has no type, so that models with such values inside
// are read and written, and backends that know them run them.
#pragma once

#include <string_view>

#include "model/ops/op.h"

namespace moru::model::ops {

inline constexpr std::string_view kSequenceReason = "values are tensors here; a sequence inside a model is kept for backends that know it";
inline constexpr std::string_view kOptionalReason =
    "values are tensors here; an optional one inside a model is kept for backends that know it";

}  // namespace moru::model::ops
