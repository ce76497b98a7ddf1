// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"All four cases", R"(graph "xor" {
  init a = bool[4] {true, true, false, false}
  init b = bool[4] {true, false, true, false}
  y = Xor(a, b)
  output y
})",
                                    "bool[4] {false, true, true, false}"}};

Status reference(EvalContext& context) {
  ops::zip<bool, bool, bool>(context.input(0), context.input(1), context.outputs[0], [](bool a, bool b) { return a != b; });
  return {};
}

}  // namespace

extern const OpSpec kOp_xor;
constinit const OpSpec kOp_xor = ops::binary_op(
    {.name = "Xor",
     .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = whether one of A and B is true, not both.",
     .infer = ops::infer_broadcast_same<ops::kBools>,
     .reference = reference,
     .examples = kExamples});

}  // namespace moru::model
