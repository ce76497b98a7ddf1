// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/arithmetic.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"A", "numbers of any type"}, {"B", "of A's type; shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"C", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"A row is added to each row", R"(graph "add" {
  init a = float32[2, 2] {1, 2, 3, 4}
  init b = float32[2] {10, 20}
  c = Add(a, b)
  output c
})",
                                    "float32[2, 2] {11, 22, 13, 24}"}};

Status reference(EvalContext& context) {
  return ops::reference_arithmetic(context, []<class T>(T a, T b) { return ops::wrap_add(a, b); });
}

}  // namespace

extern const OpSpec kOp_add;
const OpSpec kOp_add{.name = "Add",
                     .domain = "",
                     .since = 7,
                     .doc =
                         "Element by element: C = A + B. Axes are aligned at the last one; an extent of 1 stretches (NumPy's rule). "
                         "Integers wrap around.",
                     .inputs = kInputs,
                     .outputs = kOutputs,
                     .attributes = {},
                     .infer = ops::infer_arithmetic,
                     .reference = reference,
                     .examples = kExamples};

}  // namespace moru::model
