// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/arithmetic.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"A", "numbers of any type"}, {"B", "of A's type; shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"C", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"A row is taken from each row", R"(graph "sub" {
  init a = float32[2, 2] {1, 2, 3, 4}
  init b = float32[2] {10, 20}
  c = Sub(a, b)
  output c
})",
                                    "float32[2, 2] {-9, -18, -7, -16}"}};

Status reference(EvalContext& context) {
  return ops::reference_arithmetic(context, []<class T>(T a, T b) { return ops::wrap_subtract(a, b); });
}

}  // namespace

extern const OpSpec kOp_sub;
const OpSpec kOp_sub{.name = "Sub",
                     .domain = "",
                     .since = 7,
                     .doc =
                         "Element by element: C = A - B. Axes are aligned at the last one; an extent of 1 stretches (NumPy's rule). "
                         "Integers wrap around.",
                     .inputs = kInputs,
                     .outputs = kOutputs,
                     .attributes = {},
                     .infer = ops::infer_arithmetic,
                     .reference = reference,
                     .examples = kExamples};

}  // namespace moru::model
