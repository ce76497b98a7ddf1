// SPDX-License-Identifier: Apache-2.0
#include "core/check.h"
#include "model/ops/op.h"

namespace moru::model {

InferContext::InferContext(const OpSpec& spec, const Node& node, std::span<const ValueType> inputs,
                           std::span<const Tensor* const> constants, std::span<const ValueType> declared)
    : spec_(spec),
      node_(node),
      inputs_(inputs),
      constants_(constants),
      declared_(declared),
      outputs_(node.outputs.size()),
      values_(node.outputs.size()) {
  MORU_CHECK(inputs.size() == node.inputs.size() && constants.size() == node.inputs.size());
}

bool InferContext::has_input(std::size_t index) const { return index < inputs_.size() && node_.inputs[index] != kNoValue; }

const ValueType& InferContext::input(std::size_t index) const {
  static const ValueType left_out;
  return has_input(index) ? inputs_[index] : left_out;
}

const Tensor* InferContext::constant(std::size_t index) const { return has_input(index) ? constants_[index] : nullptr; }

const ValueType& InferContext::declared_output(std::size_t index) const {
  static const ValueType unknown;
  return index < declared_.size() ? declared_[index] : unknown;
}

void InferContext::set_output(std::size_t index, ValueType type) {
  if (index < outputs_.size()) outputs_[index] = std::move(type);
}

void InferContext::set_value(std::size_t index, Tensor value) {
  if (index < values_.size()) values_[index] = std::move(value);
}

const OpSpec* find_op(std::string_view name, std::string_view domain) {
  for (const OpSpec* spec : all_ops()) {
    if (spec->name == name && spec->domain == domain) return spec;
  }
  return nullptr;
}

std::optional<std::int64_t> macs_of(const Graph& graph, const Node& node) {
  const OpSpec* op = find_op(node.op, node.domain);
  if (op == nullptr || op->macs == nullptr) return 0;
  std::vector<ValueType> inputs;
  std::vector<const Tensor*> constants;
  for (const ValueId id : node.inputs) {
    inputs.push_back(id == kNoValue ? ValueType{} : graph.value(id).type);
    constants.push_back(id == kNoValue ? nullptr : graph.initializer(id));
  }
  InferContext context(*op, node, inputs, constants);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) context.set_output(i, graph.value(node.outputs[i]).type);
  }
  return op->macs(context);
}

}  // namespace moru::model
