// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace moru::model::ops {

ValueId run_before(NodeRewrite& rewrite, std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  const ValueId output = add_value(rewrite, op);
  rewrite.before.push_back({rewrite.node.name, std::string(op), {}, std::move(inputs), {output}, std::move(attributes)});
  return output;
}

void run_after(NodeRewrite& rewrite, std::size_t index, std::string_view op, std::initializer_list<ValueId> others, Attributes attributes) {
  ValueId& output = rewrite.node.outputs[index];
  const ValueId made = add_value(rewrite, rewrite.node.op);
  std::vector<ValueId> inputs{made};
  inputs.insert(inputs.end(), others);
  rewrite.after.push_back({rewrite.node.name, std::string(op), {}, std::move(inputs), {output}, std::move(attributes)});
  output = made;
}

ValueId add_ints(NodeRewrite& rewrite, std::string_view stem, std::span<const std::int64_t> values) {
  return add_constant(rewrite, stem, Tensor::of<std::int64_t>({std::ssize(values)}, values));
}

Status align_input(NodeRewrite& rewrite, std::int64_t axis) {
  MORU_RETURN_IF_ERROR(expect_inputs(rewrite, 2));
  ValueId& input = rewrite.node.inputs[1];
  const auto& a = rewrite.graph.value(rewrite.node.inputs[0]).type.shape;
  const auto& b = rewrite.graph.value(input).type.shape;
  if (!a || !b) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("input 1: found one to align at axis {} of an input of unknown rank, expected known ranks; export the model "
                            "with opset 7 or newer",
                            axis));
  }
  const auto a_rank = std::ssize(*a);
  const auto b_rank = std::ssize(*b);
  if (axis < 0) axis += a_rank;
  if (axis < 0 || axis > a_rank - b_rank) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("input 1: found {}, expected a shape that fits into {} from axis {}", to_string(*b), to_string(*a), axis));
  }
  const auto missing = static_cast<std::size_t>(a_rank - axis - b_rank);
  if (missing == 0) return {};
  if (const Tensor* constant = rewrite.graph.initializer(input)) {
    Dims dims = constant->dims();
    dims.insert(dims.end(), missing, 1);
    input = add_constant(rewrite, rewrite.graph.value(input).name, constant->reshaped(std::move(dims)));
    return {};
  }
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < missing; ++i) axes.push_back(b_rank + static_cast<std::int64_t>(i));
  input = run_before(rewrite, "Unsqueeze", {input, add_ints(rewrite, "axes", axes)});
  return {};
}

Status expect_inputs(const NodeRewrite& rewrite, std::size_t count) {
  const auto& inputs = rewrite.node.inputs;
  for (std::size_t i = 0; i < count; ++i) {
    if (i >= inputs.size() || inputs[i] == kNoValue)
      return fail(ErrorCode::kInvalidArgument, fmt::format("input {}: found none, expected one", i));
  }
  return {};
}

bool has_output(const Node& node, std::size_t index) { return index < node.outputs.size() && node.outputs[index] != kNoValue; }

Status drop_int(NodeRewrite& rewrite, std::string_view name, std::int64_t usual) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t value, int_attribute(rewrite.node, name, usual));
  if (value != usual) return not_in_opset(rewrite, fmt::format("attribute '{}' of {}", name, value));
  drop_attribute(rewrite, name);
  return {};
}

Status drop_ones(NodeRewrite& rewrite, std::string_view name) {
  MORU_ASSIGN_OR_RETURN(const auto values, ints_attribute(rewrite.node, name, {}));
  if (std::ranges::any_of(values, [](std::int64_t value) { return value != 1; })) {
    return not_in_opset(rewrite, fmt::format("attribute '{}' of {}", name, to_string(values)));
  }
  drop_attribute(rewrite, name);
  return {};
}

Status float_to_int_attribute(NodeRewrite& rewrite, std::string_view name) {
  const auto it = rewrite.node.attributes.find(name);
  if (it == rewrite.node.attributes.end()) return {};
  const float* value = std::get_if<float>(&it->second);
  if (value == nullptr) return {};  // the schema refuses it
  if (std::trunc(*value) != *value || std::abs(*value) > 1e6F) {
    return fail(ErrorCode::kUnsupported, fmt::format("attribute '{}': found {}, expected a small whole number", name, *value));
  }
  it->second = static_cast<std::int64_t>(*value);
  return {};
}

}  // namespace moru::model::ops
