// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr std::string_view kDirections[] = {"LEFT", "RIGHT"};
constexpr AttributeSpec kAttributes[] = {{"direction", AttributeKind::kString, "\"LEFT\" or \"RIGHT\"", true}};
constexpr OpExample kExamples[] = {{"Times 4", R"(graph "bit_shift" {
  init a = uint8[2] {1, 130}
  init b = uint8[] {2}
  y = BitShift(a, b) {direction = "LEFT"}
  output y
})",
                                    "uint8[2] {4, 8}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::word_attribute(context.node(), "direction", kDirections));
  return ops::infer_broadcast_same<ops::kUnsigned>(context);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::size_t right, ops::word_attribute(context.node, "direction", kDirections));
  return ops::zip_integers(context, [right]<class W>(W a, W b) -> W {
    if (b >= W{64}) return W{0};
    return right == 0 ? a << b : a >> b;
  });
}

}  // namespace

extern const OpSpec kOp_bit_shift;
constinit const OpSpec kOp_bit_shift =
    ops::binary_op({.name = "BitShift",
                    .since = 11,
                    .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = A with its bits moved by B "
                           "places; those that leave the type are lost, and a shift by all bits or more gives 0.",
                    .infer = infer,
                    .reference = reference,
                    .examples = kExamples,
                    .attributes = kAttributes});

}  // namespace moru::model
