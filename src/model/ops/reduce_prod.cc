// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/reduce.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Of each row", R"(graph "reduce_prod" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init axes = int64[1] {1}
  y = ReduceProd(x, axes)
  output y
})",
                                    "float32[2, 1] {2, 12}"},
                                   {"Of all", R"(graph "reduce_prod" {
  init x = float32[2, 2] {1, 2, 3, 4}
  y = ReduceProd(x) {keepdims = 0}
  output y
})",
                                    "float32[] {24}"}};

Status reference(EvalContext& context) {
  return ops::reference_reduce(context, []<class T, class W>(std::span<const W> values) {
    W product{1};
    for (const W value : values) product = ops::wrap_multiply(product, value);
    return product;
  });
}

}  // namespace

extern const OpSpec kOp_reduce_prod;
constinit const OpSpec kOp_reduce_prod = ops::reduce_op(
    "ReduceProd", "Along axes, any shape: the product, made in double and rounded once; integers wrap around. Of nothing it is 1.",
    ops::infer_reduce<ops::kNumbers>, reference, kExamples);

}  // namespace moru::model
