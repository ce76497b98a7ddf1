// SPDX-License-Identifier: Apache-2.0
#include "forge/train/network_graph.h"

#include <fmt/format.h>

#include <algorithm>

namespace moru::forge {
namespace {

using model::DType;
using model::Graph;
using model::Tensor;
using model::ValueId;

std::string_view op_of(const MoruLayer& layer) {
  switch (layer.kind) {
    case kMoruConv: return "Conv";
    case kMoruBatchNorm: return "BatchNormalization";
    case kMoruRelu: return "Relu";
    case kMoruAdd: return "Add";
    case kMoruMaxPool: return "MaxPool";
    case kMoruGlobalAverage: return "GlobalAveragePool";
    default: return "Gemm";
  }
}

/// One letter a role: files of small models are mostly names.
char letter_of(WeightRole role) {
  switch (role) {
    case WeightRole::kConv:
    case WeightRole::kLinear: return 'w';
    case WeightRole::kScale: return 'g';
    case WeightRole::kShift:
    case WeightRole::kBias: return 'b';
    case WeightRole::kMean: return 'm';
    case WeightRole::kVariance: return 'v';
  }
  return 'w';
}

model::Attributes attributes_of(const MoruLayer& layer) {
  const std::int64_t k = layer.kernel;
  const std::int64_t s = layer.stride;
  const std::int64_t p = layer.padding;
  using Ints = std::vector<std::int64_t>;
  switch (layer.kind) {
    case kMoruConv: {
      model::Attributes attributes{{"kernel_shape", Ints{k, k}}, {"pads", Ints{p, p, p, p}}, {"strides", Ints{s, s}}};
      if (layer.groups != 1) attributes.emplace("group", static_cast<std::int64_t>(layer.groups));
      return attributes;
    }
    case kMoruMaxPool: return {{"kernel_shape", Ints{k, k}}, {"strides", Ints{s, s}}};
    case kMoruLinear: return {{"transB", std::int64_t{1}}};
    default: return {};
  }
}

ValueId add_node(Graph& graph, std::string_view op, std::vector<ValueId> inputs, std::string output, model::Attributes attributes = {}) {
  const ValueId out = graph.add_value(std::move(output));
  graph.nodes().push_back({.name = {},
                           .op = std::string(op),
                           .domain = {},
                           .inputs = std::move(inputs),
                           .outputs = {out},
                           .attributes = std::move(attributes)});
  return out;
}

std::size_t total(const std::vector<WeightSlot>& table) { return table.empty() ? 0 : table.back().offset + table.back().count; }

}  // namespace

Result<Graph> to_graph(const Network& network, const Weights& weights) {
  MORU_RETURN_IF_ERROR(check_network(network));
  const std::vector<WeightSlot> table = weight_table(network);
  if (weights.size() != total(table)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("network '{}': found {} weights, expected {}", network.name, weights.size(), total(table)));
  }
  Graph graph;
  graph.name = network.name;
  graph.opset = 13;
  graph.metadata.emplace_back(kNetworkKey, network.name);
  const model::Dim batch{.value = -1, .symbol = "N"};
  const ValueId input =
      graph.add_value(std::string(kImageInput),
                      {DType::kFloat32, model::SymbolicShape{batch, {network.channels, {}}, {network.height, {}}, {network.width, {}}}});
  graph.inputs = {input};
  std::vector<ValueId> values;
  auto slot = table.begin();
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const MoruLayer& layer = network.layers[i];
    const auto value = [&](std::int32_t index) { return index < 0 ? input : values[static_cast<std::size_t>(index)]; };
    std::vector<ValueId> inputs{value(layer.input)};
    if (layer.kind == kMoruAdd) inputs.push_back(value(layer.second));
    for (; slot != table.end() && slot->layer == i; ++slot) {
      inputs.push_back(graph.add_initializer(fmt::format("{}{}", letter_of(slot->role), i),
                                             Tensor::of<float>(slot->dims, std::span(weights).subspan(slot->offset, slot->count))));
    }
    ValueId out = add_node(graph, op_of(layer), std::move(inputs), fmt::format("t{}", i), attributes_of(layer));
    if (layer.kind == kMoruGlobalAverage) out = add_node(graph, "Flatten", {out}, fmt::format("f{}", i));
    values.push_back(out);
  }
  const ValueId output = add_node(graph, "Softmax", {values.back()}, std::string(kProbabilitiesOutput), {{"axis", std::int64_t{1}}});
  graph.set_type(output, {DType::kFloat32, model::SymbolicShape{batch, {network.classes, {}}}});
  graph.outputs = {output};
  return graph;
}

Result<Weights> weights_from_graph(const Network& network, const Graph& graph) {
  const std::vector<WeightSlot> table = weight_table(network);
  Weights weights(total(table));
  auto slot = table.begin();
  std::size_t at = 0;
  const auto& nodes = graph.nodes();
  for (std::size_t i = 0; i < network.layers.size(); ++i, ++at) {
    while (at < nodes.size() && nodes[at].op == "Flatten") ++at;
    const std::string_view op = op_of(network.layers[i]);
    if (at >= nodes.size() || nodes[at].op != op) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("model '{}': {} is not layer {} of '{}', expected {}; train on from the float model that training wrote", graph.name,
                      at < nodes.size() ? model::describe(graph, at) : std::string("the end of the graph"), i, network.name, op));
    }
    const std::vector<ValueId>& inputs = nodes[at].inputs;
    for (std::size_t k = 1; slot != table.end() && slot->layer == i; ++slot, ++k) {
      const Tensor* tensor = k < inputs.size() && inputs[k] != model::kNoValue ? graph.initializer(inputs[k]) : nullptr;
      if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->dims() != slot->dims) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("model '{}': {}: input {} is {}, expected float32 weights {} for layer {} of '{}'", graph.name,
                                model::describe(graph, at), k,
                                tensor == nullptr ? std::string("no constant")
                                                  : fmt::format("{} {}", to_string(tensor->dtype()), model::to_string(tensor->dims())),
                                model::to_string(slot->dims), i, network.name));
      }
      std::ranges::copy(tensor->data<float>(), weights.begin() + static_cast<std::ptrdiff_t>(slot->offset));
    }
  }
  return weights;
}

Result<Network> network_of(const Graph& graph, std::int64_t classes) {
  for (const auto& [key, value] : graph.metadata) {
    if (key == kNetworkKey) return find_network(value, classes);
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("model '{}': found no metadata '{}', expected the name of its network; train on from a model that Moru trained",
                          graph.name, kNetworkKey));
}

}  // namespace moru::forge
