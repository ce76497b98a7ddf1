// SPDX-License-Identifier: Apache-2.0
// Hybrid layers found again. What is searched for is made by add_hybrid() itself, as a small graph with open ends.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "model/convert/support/hybrid.h"

namespace moru::model::convert {
namespace {

/// The nodes of a layer; x, the weights, the scales and the bias are values that nothing makes.
struct Pattern {
  Graph graph;
  std::vector<std::int32_t> producers;
  HybridLayer layer;
  ValueId to = kNoValue;
};

Pattern pattern_of(std::string_view op, bool asymmetric, bool with_bias) {
  Pattern pattern;
  const auto open = [&](std::string_view name, std::size_t rank) {
    return pattern.graph.add_value(std::string(name), {DType::kFloat32, SymbolicShape(rank)});
  };
  const std::size_t rank = op == "Conv" ? 4 : 2;
  pattern.to = open("to", rank);
  pattern.layer = {.op = op,
                   .asymmetric = asymmetric,
                   .x = open("x", rank),
                   .weights = open("weights", rank),
                   .scales = open("scales", 0),
                   .bias = with_bias ? open("bias", rank - 1) : kNoValue,
                   .attributes = {}};
  const ConvertOptions options;
  std::vector<std::string> notes;
  Rewrite rewrite(pattern.graph, {.name = {}, .op = {}, .domain = {}, .inputs = {}, .outputs = {pattern.to}, .attributes = {}}, false,
                  options, notes);
  add_hybrid(rewrite, pattern.layer, pattern.to);
  pattern.graph.nodes() = std::move(rewrite.made);
  pattern.producers = pattern.graph.producers();
  return pattern;
}

const Node* maker(const Graph& graph, const std::vector<std::int32_t>& producers, ValueId id) {
  const std::int32_t index = id == kNoValue ? -1 : producers[static_cast<std::size_t>(id)];
  return index < 0 ? nullptr : &graph.nodes()[static_cast<std::size_t>(index)];
}

/// Which value of the graph stands for which of the pattern.
class Match {
 public:
  Match(const Pattern& pattern, const Graph& graph, const std::vector<std::int32_t>& producers)
      : pattern_(pattern), graph_(graph), producers_(producers) {}

  bool find(ValueId to) { return same(pattern_.to, to); }
  ValueId at(ValueId wanted) const { return found_.at(wanted); }
  /// The Conv or Gemm, whose attributes the pattern leaves open.
  const Node& product() const { return *product_; }

 private:
  bool same(ValueId wanted, ValueId found) {
    if (found == kNoValue) return false;
    const auto [known, is_new] = found_.emplace(wanted, found);
    if (!is_new) return known->second == found;
    if (const Tensor* constant = pattern_.graph.initializer(wanted)) {
      const Tensor* other = graph_.initializer(found);
      return other != nullptr && same_bits(*constant, *other);
    }
    const Node* node = maker(pattern_.graph, pattern_.producers, wanted);
    if (node == nullptr) return true;  // an open end
    const Node* other = maker(graph_, producers_, found);
    return other != nullptr && same(*node, *other);
  }

  bool same(const Node& wanted, const Node& found) {
    if (!found.domain.empty() || found.op != wanted.op || found.inputs.size() != wanted.inputs.size()) return false;
    if (wanted.op == pattern_.layer.op) {
      product_ = &found;
    } else if (!same_attributes(wanted, found)) {
      return false;
    }
    for (std::size_t i = 0; i < wanted.inputs.size(); ++i) {
      if (!same(wanted.inputs[i], found.inputs[i])) return false;
    }
    return true;
  }

  /// The pattern's are integers.
  static bool same_attributes(const Node& wanted, const Node& found) {
    return wanted.attributes.size() == found.attributes.size() && std::ranges::all_of(wanted.attributes, [&](const auto& attribute) {
             const auto other = found.attributes.find(attribute.first);
             const auto* value = other == found.attributes.end() ? nullptr : std::get_if<std::int64_t>(&other->second);
             return value != nullptr && *value == std::get<std::int64_t>(attribute.second);
           });
  }

  const Pattern& pattern_;
  const Graph& graph_;
  const std::vector<std::int32_t>& producers_;
  std::map<ValueId, ValueId> found_;
  const Node* product_ = nullptr;
};

/// The integers that a constant of floats holds, when they are int8.
std::optional<Tensor> narrowed(const Tensor& tensor) {
  std::vector<std::int8_t> values;
  for (const float value : tensor.data<float>()) {
    if (!(value >= -128 && value <= 127) || value != std::trunc(value)) return std::nullopt;
    values.push_back(static_cast<std::int8_t>(value));
  }
  return Tensor::of<std::int8_t>(tensor.dims(), values);
}

/// What a layer becomes.
enum class Words : std::uint8_t { kTflite, kOwn };

class Fuser {
 public:
  Fuser(Graph& graph, Words words) : graph_(graph), words_(words) {
    for (const std::string_view op : {"Conv", "Gemm"}) {
      for (const bool asymmetric : {false, true}) {
        if (words == Words::kOwn && (op != "Conv" || asymmetric)) continue;
        for (const bool with_bias : {false, true}) patterns_.push_back(pattern_of(op, asymmetric, with_bias));
      }
    }
  }

  void run() {
    const auto producers = graph_.producers();
    std::vector<std::pair<std::size_t, Node>> fused;
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      for (const Pattern& pattern : patterns_) {
        if (graph_.nodes()[i].outputs.size() != 1) continue;
        Match match(pattern, graph_, producers);
        if (!match.find(graph_.nodes()[i].outputs[0])) continue;
        auto node = words_ == Words::kOwn ? own_layer_of(match, pattern.layer, graph_.nodes()[i], producers)
                                          : layer_of(match, pattern.layer, graph_.nodes()[i], producers);
        if (node) fused.emplace_back(i, std::move(*node));
      }
    }
    if (fused.empty()) return;
    for (auto& [index, node] : fused) graph_.nodes()[index] = std::move(node);
    graph_.remove_unused();
  }

 private:
  /// Constants of int8, also where a Cast of them is folded or was too large to be.
  std::optional<Tensor> weights_of(ValueId id, const std::vector<std::int32_t>& producers) const {
    const Node* cast = maker(graph_, producers, id);
    const Tensor* tensor = graph_.initializer(cast != nullptr && cast->op == "Cast" && cast->domain.empty() ? cast->inputs[0] : id);
    if (tensor == nullptr) return std::nullopt;
    if (tensor->dtype() == DType::kInt8) return *tensor;
    return tensor->dtype() == DType::kFloat32 ? narrowed(*tensor) : std::nullopt;
  }

  /// One scale, or one a channel.
  std::optional<Quantization> scales_of(ValueId id, const Dims& by_channel) const {
    const Tensor* tensor = graph_.initializer(id);
    if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->count() == 0 ||
        (tensor->rank() != 0 && tensor->dims() != by_channel))
      return std::nullopt;
    Quantization out;
    out.scales.assign(tensor->data<float>().begin(), tensor->data<float>().end());
    out.zero_points.assign(out.scales.size(), 0);
    if (!std::ranges::all_of(out.scales, [](float scale) { return std::isfinite(scale) && scale > 0; })) return std::nullopt;
    return out;
  }

  /// Whether TFLite's layer of these weights rounds as the pattern does. Its convolutions look at the number of scales.
  bool is_rounded_so(const Node& product, const HybridLayer& layer, const Dims& weights, Quantization& scales) const {
    if (product.op == "Gemm") {
      const auto transposed = int_attribute(product, "transB", 0);
      return product.attributes.size() == 1 && transposed && *transposed == 1;
    }
    const auto& x = graph_.value(product.inputs[0]).type.shape;
    const auto group = int_attribute(product, "group", 1);
    if (!x || x->size() != 4 || !group) return false;
    if (*group > 1 && weights[1] == 1 && (*x)[1].value == *group) return layer.asymmetric;  // a DEPTHWISE_CONV_2D
    if (layer.asymmetric && scales.scales.size() == 1) {
      scales.scales.assign(static_cast<std::size_t>(weights[0]), scales.scales[0]);
      scales.zero_points.assign(scales.scales.size(), 0);
    }
    return layer.asymmetric == (scales.scales.size() > 1);
  }

  std::optional<Node> layer_of(const Match& match, const HybridLayer& open, const Node& last, const std::vector<std::int32_t>& producers) {
    const auto weights = weights_of(match.at(open.weights), producers);
    const std::size_t rank = open.op == "Conv" ? 4 : 2;
    const ValueId x = match.at(open.x);
    if (!weights || weights->rank() != rank || graph_.value(x).type.dtype != DType::kFloat32) return std::nullopt;
    const Dims by_channel = channel_dims(weights->dims()[0], rank);
    auto quantization = scales_of(match.at(open.scales), by_channel);
    if (!quantization || !is_rounded_so(match.product(), open, weights->dims(), *quantization)) return std::nullopt;
    const Tensor* bias = open.bias == kNoValue ? nullptr : graph_.initializer(match.at(open.bias));
    if (open.bias != kNoValue && (bias == nullptr || bias->dtype() != DType::kFloat32 || bias->dims() != by_channel)) return std::nullopt;
    Node node = match.product();
    node.inputs = {x, add(match.at(open.weights), *weights, std::move(quantization))};
    node.outputs = last.outputs;
    if (bias != nullptr) node.inputs.push_back(add(match.at(open.bias), bias->reshaped({bias->count()}), std::nullopt));
    if (node.op == "Gemm") node.attributes["asymmetric_quantize_inputs"] = std::int64_t{open.asymmetric ? 1 : 0};
    return node;
  }

  std::optional<Node> own_layer_of(const Match& match, const HybridLayer& open, const Node& last,
                                   const std::vector<std::int32_t>& producers) {
    auto weights = weights_of(match.at(open.weights), producers);
    const ValueId x = match.at(open.x);
    const auto group = int_attribute(match.product(), "group", 1);
    if (!weights || weights->rank() != 4 || graph_.value(x).type.dtype != DType::kFloat32 || !group || *group != 1) return std::nullopt;
    const Dims by_channel = channel_dims(weights->dims()[0], 4);
    const auto scales = scales_of(match.at(open.scales), by_channel);
    const Tensor* bias = open.bias == kNoValue ? nullptr : graph_.initializer(match.at(open.bias));
    if (!scales || (open.bias != kNoValue && (bias == nullptr || bias->dims() != by_channel))) return std::nullopt;
    Node node = match.product();
    node.op = "HybridConv";
    node.domain = "moru";
    const Dims dims = scales->scales.size() == 1 ? Dims{} : Dims{weights->dims()[0]};
    node.inputs = {x, add(match.at(open.weights), std::move(*weights), std::nullopt),
                   add(match.at(open.scales), Tensor::of<float>(dims, scales->scales), std::nullopt)};
    node.outputs = last.outputs;
    if (bias != nullptr) node.inputs.push_back(add(match.at(open.bias), bias->reshaped({bias->count()}), std::nullopt));
    return node;
  }

  /// A constant named as `like`.
  ValueId add(ValueId like, Tensor tensor, std::optional<Quantization> quantization) {
    const ValueId id = graph_.add_initializer(graph_.unused_name(graph_.value(like).name), std::move(tensor));
    ValueType type = graph_.value(id).type;
    type.quantization = std::move(quantization);
    graph_.set_type(id, std::move(type));
    return id;
  }

  Graph& graph_;
  Words words_;
  std::vector<Pattern> patterns_;
};

}  // namespace

void fuse_hybrid(Graph& graph) { Fuser(graph, Words::kTflite).run(); }

void fuse_hybrid_convolutions(Graph& graph) { Fuser(graph, Words::kOwn).run(); }

}  // namespace moru::model::convert
