// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Infinity is a number", R"(graph "is_nan" {
  init x = float32[3] {nan, 1, inf}
  y = IsNaN(x)
  output y
})",
                                    "bool[3] {true, false, false}"}};

Status reference(EvalContext& context) {
  return ops::test_floats(context, [](double x) { return std::isnan(x); });
}

}  // namespace

extern const OpSpec kOp_is_nan;
constinit const OpSpec kOp_is_nan = ops::unary_op({.name = "IsNaN",
                                                   .since = 9,
                                                   .doc = "Element by element, any shape: whether X is not a number.",
                                                   .infer = ops::infer_unary_predicate<ops::kFloats>,
                                                   .reference = reference,
                                                   .examples = kExamples});

}  // namespace moru::model
