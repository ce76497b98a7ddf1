// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/arithmetic.h"

namespace moru::model::ops {

Status infer_arithmetic(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, common_dtype(context, kNumeric));
  const SymbolicShape* a = shape_of(context, 0);
  const SymbolicShape* b = shape_of(context, 1);
  if (a == nullptr || b == nullptr) {
    context.set_output(0, {dtype, std::nullopt});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(auto shape, broadcast(*a, *b));
  context.set_output(0, {dtype, std::move(shape)});
  return {};
}

}  // namespace moru::model::ops
