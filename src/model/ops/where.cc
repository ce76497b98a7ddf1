// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"condition", "bool, any shape"}, {"X", "any shape and type but string"}, {"Y", "of X's type"}};
constexpr PortSpec kOutputs[] = {{"output", "the shape that all three stretch to"}};
constexpr OpExample kExamples[] = {{"A choice for each element", R"(graph "where" {
  init c = bool[3] {true, false, true}
  init x = float32[3] {1, 2, 3}
  init y = float32[] {0}
  z = Where(c, x, y)
  output z
})",
                                    "float32[3] {1, 0, 3}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kBools));
  const auto x = context.input(1).dtype;
  const auto y = context.input(2).dtype;
  if (x && y && *x != *y) return ops::input_error(context, 2, "found another type than that of X, expected the same");
  const auto dtype = x ? x : y;
  if (dtype) MORU_RETURN_IF_ERROR(element_size(*dtype));
  return ops::infer_broadcast(context, dtype);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::size_t size, element_size(context.input(1).dtype()));
  const auto condition = context.input(0).data<bool>();
  const std::byte* const x = context.input(1).bytes().data();
  const std::byte* const y = context.input(2).bytes().data();
  std::byte* const out = context.outputs[0].mutable_bytes().data();
  ops::walk_broadcast<3>(
      {context.input(0).dims(), context.input(1).dims(), context.input(2).dims()}, context.outputs[0].dims(),
      [&](std::size_t i, const auto& at) { std::memcpy(out + i * size, condition[at[0]] ? x + at[1] * size : y + at[2] * size, size); });
  return {};
}

}  // namespace

extern const OpSpec kOp_where;
constinit const OpSpec kOp_where{
    .name = "Where",
    .domain = "",
    .since = 9,
    .doc =
        "Element by element, where the shapes stretch to each other (NumPy's rule): output = X where condition, "
        "else Y.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
