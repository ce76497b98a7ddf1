// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}};
constexpr PortSpec kOutputs[] = {{"output", "without them"}};
constexpr AttributeSpec kAttributes[] = {{"squeeze_dims", AttributeKind::kInts, "the axes to take away; empty: all of extent 1"}};
constexpr OpExample kExamples[] = {{"One axis goes", R"(graph "squeeze" {
  init x = float32[1, 2] {1, 2}
  y: float32[2] = tflite::SQUEEZE(x)
  output y
})",
                                    "float32[2] {1, 2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const auto given, ints_attribute(context.node(), "squeeze_dims", {}));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  std::vector<bool> gone(x->size(), false);
  for (const std::int64_t one : given) {
    MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(one, x->size()));
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 0, axis, Dim{1, {}}, "as it is squeezed"));
    gone[axis] = true;
  }
  SymbolicShape y;
  for (std::size_t axis = 0; axis < x->size(); ++axis) {
    if (given.empty() && !(*x)[axis].known()) return {};
    if (given.empty() ? (*x)[axis].value != 1 : !gone[axis]) y.push_back((*x)[axis]);
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  std::ranges::copy(context.input(0).bytes(), context.outputs[0].mutable_bytes().begin());
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_squeeze;
const OpSpec kOp_tflite_squeeze{.name = "SQUEEZE",
                                .domain = "tflite",
                                .since = 1,
                                .doc = "The same elements without axes of extent 1.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attributes = kAttributes,
                                .infer = infer,
                                .reference = reference,
                                .examples = kExamples};

}  // namespace moru::model
