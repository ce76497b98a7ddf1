// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/arithmetic.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"A", "numbers of any type"}, {"B", "of A's type; shapes stretch to each other"}};
constexpr PortSpec kOutputs[] = {{"C", "the shape that both stretch to"}};
constexpr OpExample kExamples[] = {{"Floats", R"(graph "div" {
  init a = float32[3] {1, 2, 3}
  init b = float32[] {2}
  c = Div(a, b)
  output c
})",
                                    "float32[3] {0.5, 1, 1.5}"},
                                   {"Integers are cut towards 0", R"(graph "div" {
  init a = int32[2] {7, -7}
  init b = int32[1] {2}
  c = Div(a, b)
  output c
})",
                                    "int32[2] {3, -3}"}};

template <class T>
T divide(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a / b;
  } else {
    // The lowest number divided by -1 does not fit; it wraps around to itself.
    if constexpr (std::is_signed_v<T>) {
      if (b == T{-1}) return ops::wrap_subtract(T{0}, a);
    }
    return static_cast<T>(a / b);
  }
}

Status reference(EvalContext& context) {
  return ops::for_numeric_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    if constexpr (!std::is_floating_point_v<T>) {
      if (context.outputs[0].count() > 0 && std::ranges::count(context.input(1).data<T>(), T{0}) != 0) {
        return fail(ErrorCode::kInvalidArgument, "input 1 (B): found 0, expected other integers to divide by");
      }
    }
    ops::for_each_broadcast<T>(context.input(0), context.input(1), context.outputs[0], divide<T>);
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_div;
const OpSpec kOp_div{.name = "Div",
                     .domain = "",
                     .since = 7,
                     .doc =
                         "Element by element: C = A / B. Axes are aligned at the last one; an extent of 1 stretches (NumPy's rule). "
                         "Integers are cut towards 0.",
                     .inputs = kInputs,
                     .outputs = kOutputs,
                     .attributes = {},
                     .infer = ops::infer_arithmetic,
                     .reference = reference,
                     .examples = kExamples};

}  // namespace moru::model
