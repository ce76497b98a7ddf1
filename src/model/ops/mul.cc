// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/arithmetic.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"A", "numbers of any type"}, {"B", "of A's type; shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"C", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"A column times a row", R"(graph "mul" {
  init a = float32[2, 1] {3, 4}
  init b = float32[1, 2] {1, 2}
  c = Mul(a, b)
  output c
})",
                                    "float32[2, 2] {3, 6, 4, 8}"}};

Status reference(EvalContext& context) {
  return ops::reference_arithmetic(context, []<class T>(T a, T b) { return ops::wrap_multiply(a, b); });
}

}  // namespace

extern const OpSpec kOp_mul;
const OpSpec kOp_mul{.name = "Mul",
                     .domain = "",
                     .since = 7,
                     .doc =
                         "Element by element: C = A * B. Axes are aligned at the last one; an extent of 1 stretches (NumPy's rule). "
                         "Integers wrap around.",
                     .inputs = kInputs,
                     .outputs = kOutputs,
                     .attributes = {},
                     .infer = ops::infer_arithmetic,
                     .reference = reference,
                     .examples = kExamples};

}  // namespace moru::model
