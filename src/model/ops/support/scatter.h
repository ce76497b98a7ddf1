// SPDX-License-Identifier: Apache-2.0
// What the ops share that write updates into a copy of a tensor.
#pragma once

#include <string_view>
#include <vector>

#include "model/ops/op.h"

namespace moru::model::ops {

inline constexpr std::string_view kReductionDoc =
    "what becomes of the old element: none (replaced), add, mul, min or max (joined with it); none";

/// Types of data, indices and updates, and 'reduction'; output 0 is as data.
Status infer_scatter(InferContext& context, std::initializer_list<DType> index_types);

/// Output 0 becomes data; then, in order, the block i of `block` elements of updates goes to the place targets[i] of the output,
/// joined with what is there as 'reduction' says.
Status scatter(EvalContext& context, const std::vector<std::int64_t>& targets, std::int64_t block);

/// infer() and reference() of ScatterElements, which the op Scatter of opsets 9 and 10 is too.
Status infer_scatter_elements(InferContext& context);
Status reference_scatter_elements(EvalContext& context);

/// 'reduction' came with opset 16, its min and max with 18.
Status downgrade_reduction(NodeRewrite& rewrite);

}  // namespace moru::model::ops
