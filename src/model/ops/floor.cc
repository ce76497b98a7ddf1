// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Down, also below 0", R"(graph "floor" {
  init x = float32[3] {1.5, -1.5, 2}
  y = Floor(x)
  output y
})",
                                    "float32[3] {1, -2, 2}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::floor(x); });
}

}  // namespace

extern const OpSpec kOp_floor;
constinit const OpSpec kOp_floor = ops::unary_op({.name = "Floor",
                                                  .doc = "Element by element, any shape: Y = the largest whole number not above X.",
                                                  .infer = ops::infer_unary<ops::kFloats>,
                                                  .reference = reference,
                                                  .examples = kExamples});

}  // namespace moru::model
