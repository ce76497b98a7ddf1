// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"shape", "the new shape, int32", true}};
constexpr PortSpec kOutputs[] = {{"output", "of that shape"}};
constexpr AttributeSpec kAttributes[] = {{"new_shape", AttributeKind::kInts, "the shape, when there is no second input"}};
constexpr OpExample kExamples[] = {{"Two rows become one", R"(graph "reshape" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init shape = int32[1] {-1}
  y: float32[4] = tflite::RESHAPE(x, shape)
  output y
})",
                                    "float32[4] {1, 2, 3, 4}"}};

Result<std::optional<std::vector<std::int64_t>>> wanted_shape(const InferContext& context) {
  if (context.has_input(1)) return ops::constant_indices(context, 1);
  MORU_ASSIGN_OR_RETURN(auto shape, ints_attribute(context.node(), "new_shape", {}));
  return shape;
}

/// Puts what is left in place of -1.
Result<SymbolicShape> resolve(const InferContext& context, const std::vector<std::int64_t>& wanted) {
  SymbolicShape shape;
  std::int64_t known = 1;
  std::size_t open = wanted.size();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] < -1 || wanted[i] > ops::kMaxExtent || (wanted[i] == -1 && open != wanted.size()))
      return ops::input_error(context, 1, fmt::format("found extent {} at {}, expected 0 or more, or one -1", wanted[i], i));
    if (wanted[i] == -1) open = i;
    shape.push_back(wanted[i] == -1 ? Dim{} : Dim{wanted[i], {}});
    if (wanted[i] > 0 && known > ops::kMaxExtent / wanted[i])
      return ops::input_error(context, 1, "found more than 2^40 elements, expected less");
    if (wanted[i] != -1) known *= wanted[i];
  }
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr) return shape;
  MORU_ASSIGN_OR_RETURN(const Dim elements, ops::product(*x));
  if (!elements.known()) return shape;
  const bool fits = open == wanted.size() ? elements.value == known : known > 0 && elements.value % known == 0;
  if (!fits) return ops::input_error(context, 1, fmt::format("found a shape of {} elements, expected {}", known, elements.value));
  if (open != wanted.size()) shape[open] = Dim{elements.value / known, {}};
  return shape;
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  const auto dtype = context.input(0).dtype;
  MORU_ASSIGN_OR_RETURN(auto wanted, wanted_shape(context));
  if (!wanted) {
    const auto length = ops::list_length(context, 1);
    context.set_output(0, {dtype, length ? std::optional(SymbolicShape(*length)) : std::nullopt});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(SymbolicShape shape, resolve(context, *wanted));
  context.set_output(0, {dtype, std::move(shape)});
  return {};
}

Status reference(EvalContext& context) {
  std::ranges::copy(context.input(0).bytes(), context.outputs[0].mutable_bytes().begin());
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_reshape;
const OpSpec kOp_tflite_reshape{
    .name = "RESHAPE",
    .domain = "tflite",
    .since = 1,
    .doc =
        "The same elements under another shape. The shape is the second input, or new_shape; -1 stands for what is "
        "left.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
