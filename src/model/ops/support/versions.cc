// SPDX-License-Identifier: Apache-2.0
#include "model/ops/versions.h"

#include <fmt/format.h>

namespace moru::model::ops {

ValueId add_constant(NodeRewrite& rewrite, std::string_view stem, Tensor tensor) {
  Graph& graph = rewrite.graph;
  const auto& outputs = rewrite.node.outputs;
  // Named after the node's own result, not after how many came before, so that a model written and read again has the same names.
  const bool has_result = !outputs.empty() && outputs[0] != kNoValue;
  const std::string name = has_result ? fmt::format("{}_{}", graph.value(outputs[0]).name, stem) : std::string(stem);
  return graph.add_initializer(graph.unused_name(name), std::move(tensor));
}

ValueId add_value(NodeRewrite& rewrite, std::string_view stem) { return rewrite.graph.add_value(rewrite.graph.unused_name(stem)); }

Status attribute_to_input(NodeRewrite& rewrite, std::string_view name, std::size_t index) {
  const auto it = rewrite.node.attributes.find(name);
  if (it == rewrite.node.attributes.end()) return {};
  auto& inputs = rewrite.node.inputs;
  if (index < inputs.size() && inputs[index] != kNoValue) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found it beside input {}, expected one of them", name, index));
  }
  Tensor tensor;
  if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&it->second)) {
    tensor = Tensor::of<std::int64_t>({std::ssize(*ints)}, std::span<const std::int64_t>(*ints));
  } else if (const auto* number = std::get_if<std::int64_t>(&it->second)) {
    tensor = Tensor::scalar(*number);
  } else if (const auto* real = std::get_if<float>(&it->second)) {
    tensor = Tensor::scalar(*real);
  } else {
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found another type, expected a number or ints", name));
  }
  if (inputs.size() <= index) inputs.resize(index + 1, kNoValue);
  inputs[index] = add_constant(rewrite, name, std::move(tensor));
  rewrite.node.attributes.erase(it);
  return {};
}

Status input_to_ints_attribute(NodeRewrite& rewrite, std::size_t index, std::string_view name) {
  auto& inputs = rewrite.node.inputs;
  if (index >= inputs.size() || inputs[index] == kNoValue) return {};
  const Tensor* constant = rewrite.graph.initializer(inputs[index]);
  if (constant == nullptr || constant->dtype() != DType::kInt64) {
    return not_in_opset(rewrite, fmt::format("input {} ({}) that is computed", index, name));
  }
  const auto values = constant->data<std::int64_t>();
  rewrite.node.attributes.insert_or_assign(std::string(name), std::vector<std::int64_t>(values.begin(), values.end()));
  inputs[index] = kNoValue;
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
  return {};
}

void drop_attribute(NodeRewrite& rewrite, std::string_view name) {
  if (const auto it = rewrite.node.attributes.find(name); it != rewrite.node.attributes.end()) rewrite.node.attributes.erase(it);
}

std::unexpected<Error> not_in_opset(const NodeRewrite& rewrite, std::string_view what) {
  return fail(ErrorCode::kUnsupported,
              fmt::format("found {}, which opset {} cannot say, expected a newer opset to write", what, rewrite.opset));
}

}  // namespace moru::model::ops
