// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr std::initializer_list<DType> kTypes = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16,
                                                 DType::kInt8,    DType::kInt16,   DType::kInt32,   DType::kInt64};
constexpr OpExample kExamples[] = {{"The other sign", R"(graph "neg" {
  init x = int8[3] {-128, 0, 2}
  y = Neg(x)
  output y
})",
                                    "int8[3] {-128, 0, -2}"}};

Status reference(EvalContext& context) {
  return ops::map_numbers(context, []<class W>(W x) {
    if constexpr (std::is_same_v<W, double>)
      return -x;
    else
      return ops::wrap_subtract(W{0}, x);
  });
}

}  // namespace

extern const OpSpec kOp_neg;
constinit const OpSpec kOp_neg =
    ops::unary_op({.name = "Neg",
                   .doc = "Element by element, any shape: Y = -X. The lowest integer of a type wraps around to itself.",
                   .infer = ops::infer_unary<kTypes>,
                   .reference = reference,
                   .examples = kExamples});

}  // namespace moru::model
