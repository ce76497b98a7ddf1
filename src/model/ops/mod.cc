// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr AttributeSpec kAttributes[] = {
    {"fmod", AttributeKind::kInt, "1: the result has the sign of A, as C's fmod; must be 1 for floats; 0"}};
constexpr OpExample kExamples[] = {{"The sign of B", R"(graph "mod" {
  init a = int32[2] {-7, 7}
  init b = int32[2] {3, -3}
  y = Mod(a, b)
  output y
})",
                                    "int32[2] {2, -2}"},
                                   {"Floats, the sign of A", R"(graph "mod" {
  init a = float32[2] {-7.5, 7.5}
  init b = float32[] {3}
  y = Mod(a, b) {fmod = 1}
  output y
})",
                                    "float32[2] {-1.5, 1.5}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t fmod, int_attribute(context.node(), "fmod", 0));
  const auto dtype = context.input(0).dtype;
  if (fmod == 0 && dtype && std::ranges::find(ops::kFloats, *dtype) != ops::kFloats.end())
    return ops::input_error(context, 0, "found floats, expected attribute 'fmod' to be 1 for them");
  return ops::infer_broadcast_same<ops::kNumbers>(context);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t fmod, int_attribute(context.node, "fmod", 0));
  MORU_RETURN_IF_ERROR(ops::check_divisors(context, context.input(1)));
  return ops::zip_numbers(context, [fmod]<class W>(W a, W b) -> W {
    if constexpr (std::is_same_v<W, double>) {
      return std::fmod(a, b);
    } else if constexpr (std::is_same_v<W, std::uint64_t>) {
      return a % b;
    } else {
      if (b == -1) return 0;  // the lowest integer % -1 overflows
      const W rest = a % b;
      return fmod == 0 && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
  });
}

}  // namespace

extern const OpSpec kOp_mod;
constinit const OpSpec kOp_mod =
    ops::binary_op({.name = "Mod",
                    .since = 10,
                    .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = A - B * n with the whole n that "
                           "gives C the sign of B and less than its size; with fmod the sign of A. Integers modulo 0 are an error.",
                    .infer = infer,
                    .reference = reference,
                    .examples = kExamples,
                    .attributes = kAttributes});

}  // namespace moru::model
