// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"All bits", R"(graph "bitwise_not" {
  init x = uint8[2] {0, 5}
  y = BitwiseNot(x)
  output y
})",
                                    "uint8[2] {255, 250}"}};

Status reference(EvalContext& context) {
  return ops::for_integer_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    std::ranges::transform(context.input(0).data<T>(), context.outputs[0].mutable_data<T>().begin(),
                           [](T x) { return static_cast<T>(~x); });
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_bitwise_not;
constinit const OpSpec kOp_bitwise_not = ops::unary_op({.name = "BitwiseNot",
                                                        .since = 18,
                                                        .doc = "Element by element, any shape: Y is X with each bit turned.",
                                                        .infer = ops::infer_unary<ops::kIntegers>,
                                                        .reference = reference,
                                                        .examples = kExamples});

}  // namespace moru::model
