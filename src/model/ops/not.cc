// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"The opposite", R"(graph "not" {
  init x = bool[2] {true, false}
  y = Not(x)
  output y
})",
                                    "bool[2] {false, true}"}};

Status reference(EvalContext& context) {
  std::ranges::transform(context.input(0).data<bool>(), context.outputs[0].mutable_data<bool>().begin(), std::logical_not<>());
  return {};
}

}  // namespace

extern const OpSpec kOp_not;
constinit const OpSpec kOp_not = ops::unary_op({.name = "Not",
                                                .doc = "Element by element, any shape: Y = not X.",
                                                .infer = ops::infer_unary<ops::kBools>,
                                                .reference = reference,
                                                .examples = kExamples});

}  // namespace moru::model
