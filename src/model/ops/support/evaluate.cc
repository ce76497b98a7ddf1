// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/text.h"
#include "model/ops/op.h"
#include "model/ops/support/schema.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

/// Binds the symbols of `type` to the tensor's extents; a symbol has one extent in all inputs.
Status bind(const ValueType& type, const Tensor& tensor, std::map<std::string, std::int64_t, std::less<>>& symbols) {
  const auto refuse = [&] {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("found {}{}, expected {}{}", to_string(tensor.dtype()), to_string(tensor.dims()),
                            type.dtype ? to_string(*type.dtype) : "?", type.shape ? to_string(*type.shape) : "[*]"));
  };
  if (type.dtype && *type.dtype != tensor.dtype()) return refuse();
  if (!type.shape) return {};
  if (type.shape->size() != tensor.rank()) return refuse();
  for (std::size_t i = 0; i < tensor.rank(); ++i) {
    const Dim& dim = (*type.shape)[i];
    if (dim.known() && dim.value != tensor.dims()[i]) return refuse();
    if (dim.known() || dim.symbol.empty()) continue;
    const auto [it, is_new] = symbols.emplace(dim.symbol, tensor.dims()[i]);
    if (it->second != tensor.dims()[i]) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("found {} for '{}', expected {} as in an input before", tensor.dims()[i], dim.symbol, it->second));
    }
  }
  return {};
}

Result<Tensor> make_output(const ValueType& type) {
  if (!type.dtype || !type.shape) return Tensor();
  Dims dims;
  for (const Dim& dim : *type.shape) {
    if (!dim.known()) return Tensor();
    dims.push_back(dim.value);
  }
  return Tensor::create(*type.dtype, std::move(dims));
}

/// The values of one run. A value is let go after its last use.
class Run {
 public:
  Run(const Graph& graph, Observer observe, void* user)
      : graph_(graph), observe_(observe), user_(user), values_(graph.value_count()), uses_left_(graph.value_count(), 0) {
    for (const Node& node : graph.nodes()) for_each_use(node, [&](ValueId id) { count_use(id); });
    for (const ValueId id : graph.outputs) count_use(id);
  }

  void set(ValueId id, const Tensor& tensor) {
    if (observe_ != nullptr) observe_(user_, id, tensor);
    if (uses_left_[static_cast<std::size_t>(id)] > 0) values_[static_cast<std::size_t>(id)] = tensor;
  }

  const Tensor& get(ValueId id) const {
    const Tensor* initializer = graph_.initializer(id);
    return initializer != nullptr ? *initializer : values_[static_cast<std::size_t>(id)];
  }

  Status run_node(const Node& node) {
    std::vector<const Tensor*> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(id == kNoValue ? nullptr : &get(id));
    const auto input_types = types_of(node.inputs);
    const auto output_types = types_of(node.outputs);
    MORU_ASSIGN_OR_RETURN(const auto outputs, evaluate_node(node, inputs, {input_types, output_types}));
    for_each_use(node, [&](ValueId id) {
      if (--uses_left_[static_cast<std::size_t>(id)] == 0) values_[static_cast<std::size_t>(id)] = Tensor();
    });
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) set(node.outputs[i], outputs[i]);
    }
    return {};
  }

 private:
  std::vector<ValueType> types_of(std::span<const ValueId> ids) const {
    std::vector<ValueType> types;
    for (const ValueId id : ids) types.push_back(id == kNoValue ? ValueType() : graph_.value(id).type);
    return types;
  }

  void count_use(ValueId id) { ++uses_left_[static_cast<std::size_t>(id)]; }

  const Graph& graph_;
  Observer observe_;
  void* user_;
  std::vector<Tensor> values_;
  std::vector<std::int32_t> uses_left_;
};

}  // namespace

Result<std::vector<Tensor>> evaluate_node(const Node& node, std::span<const Tensor* const> inputs, const NodeTypes& given) {
  MORU_ASSIGN_OR_RETURN(const OpSpec* spec, ops::check_schema(node));
  if (inputs.size() != node.inputs.size()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} input tensors, expected {}", inputs.size(), node.inputs.size()));
  }
  std::vector<ValueType> types(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if ((inputs[i] == nullptr) != (node.inputs[i] == kNoValue)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("input {}: found {} tensor, expected {}", i, inputs[i] == nullptr ? "no" : "a",
                                                           inputs[i] == nullptr ? "one" : "none"));
    }
    if (inputs[i] == nullptr) continue;
    types[i] = ops::type_of(*inputs[i]);
    if (i < given.inputs.size()) types[i].quantization = given.inputs[i].quantization;
  }
  MORU_ASSIGN_OR_RETURN(auto output_types, ops::infer_types(*spec, node, types, inputs, given.outputs));
  std::vector<Tensor> outputs;
  for (const ValueType& type : output_types) {
    MORU_ASSIGN_OR_RETURN(Tensor tensor, make_output(type));
    outputs.push_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < given.outputs.size() && i < output_types.size(); ++i)
    output_types[i].quantization = given.outputs[i].quantization;
  EvalContext context{node, inputs, outputs, types, output_types};
  if (spec->reference == nullptr) {
    return fail(ErrorCode::kUnsupported, fmt::format("found {}, which has no reference, expected an op that has one{}", in_quotes(node.op),
                                                     spec->gaps.empty() ? "" : fmt::format(": {}", spec->gaps[0].reason)));
  }
  MORU_RETURN_IF_ERROR(spec->reference(context));
  return outputs;
}

Result<std::vector<Tensor>> evaluate(const Graph& graph, std::span<const Tensor> inputs, Observer observe, void* user) {
  MORU_RETURN_IF_ERROR(verify(graph));
  if (inputs.size() != graph.inputs.size()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("graph '{:.100}': found {} inputs, expected {}", graph.name, inputs.size(), graph.inputs.size()));
  }
  Run run(graph, observe, user);
  std::map<std::string, std::int64_t, std::less<>> symbols;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.value(graph.inputs[i]);
    MORU_RETURN_IF_ERROR_IN(fmt::format("input '{:.100}'", value.name), bind(value.type, inputs[i], symbols));
    run.set(graph.inputs[i], inputs[i]);
  }
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) MORU_RETURN_IF_ERROR_IN(describe(graph, i), run.run_node(graph.nodes()[i]));
  std::vector<Tensor> outputs;
  for (const ValueId id : graph.outputs) outputs.push_back(run.get(id));
  return outputs;
}

}  // namespace moru::model
