// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/movement.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type and shape"}};
constexpr PortSpec kOutputs[] = {{"transposed", "axis i is axis perm[i] of data"}};
constexpr AttributeSpec kAttributes[] = {{"perm", AttributeKind::kInts, "a permutation of the axes; the reverse"}};
constexpr OpExample kExamples[] = {{"Rows become columns", R"(graph "transpose" {
  init x = float32[2, 3] {1, 2, 3, 4, 5, 6}
  y = Transpose(x)
  output y
})",
                                    "float32[3, 2] {1, 4, 2, 5, 3, 6}"},
                                   {"Channels last", R"(graph "nhwc" {
  init x = int8[1, 2, 1, 3] {1, 2, 3, 4, 5, 6}
  y = Transpose(x) {perm = [0, 2, 3, 1]}
  output y
})",
                                    "int8[1, 1, 3, 2] {1, 4, 2, 5, 3, 6}"}};

Result<std::vector<std::int64_t>> permutation(const Node& node, std::size_t rank) {
  std::vector<std::int64_t> reverse;
  for (std::size_t i = rank; i-- > 0;) reverse.push_back(static_cast<std::int64_t>(i));
  MORU_ASSIGN_OR_RETURN(auto perm, ints_attribute(node, "perm", reverse));
  auto sorted = perm;
  std::ranges::sort(sorted);
  std::ranges::reverse(reverse);
  if (sorted != reverse)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("attribute 'perm': found {}, expected each axis of rank {} once", to_string(perm), rank));
  return perm;
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const auto perm, permutation(context.node(), x->size()));
  SymbolicShape y;
  for (const std::int64_t axis : perm) y.push_back((*x)[static_cast<std::size_t>(axis)]);
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const auto perm, permutation(context.node, x.rank()));
  ops::copy_permuted(x, x.dims(), perm, context.outputs[0]);
  return {};
}

}  // namespace

extern const OpSpec kOp_transpose;
const OpSpec kOp_transpose{.name = "Transpose",
                           .domain = "",
                           .since = 1,
                           .doc =
                               "Changes the order of the axes. data [d0, ..., dn] -> transposed [d(perm[0]), ..., d(perm[n])]: "
                               "transposed[i0, ..., in] = data[j] with j[perm[k]] = ik.",
                           .inputs = kInputs,
                           .outputs = kOutputs,
                           .attributes = kAttributes,
                           .infer = infer,
                           .reference = reference,
                           .examples = kExamples};

}  // namespace moru::model
