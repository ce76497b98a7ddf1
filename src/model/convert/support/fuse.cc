// SPDX-License-Identifier: Apache-2.0
#include "model/convert/support/fuse.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "model/convert/rewrite.h"

namespace moru::model::convert {
namespace {

constexpr std::string_view kHosts[] = {"Add", "AveragePool", "Conv", "Div", "Gemm", "MatMul", "MaxPool", "Mul", "Sub"};

std::optional<float> bound(const Graph& graph, const Node& node, std::size_t index, float fallback) {
  if (index >= node.inputs.size() || node.inputs[index] == kNoValue) return fallback;
  const Tensor* tensor = graph.initializer(node.inputs[index]);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->count() != 1) return std::nullopt;
  return tensor->data<float>()[0];
}

std::string activation_of(const Graph& graph, const Node& node) {
  if (!node.domain.empty()) return {};
  if (node.op == "Relu") return "RELU";
  if (node.op != "Clip") return {};
  const auto low = bound(graph, node, 1, -HUGE_VALF);
  const auto high = bound(graph, node, 2, HUGE_VALF);
  if (low == 0.0F && high == 6.0F) return "RELU6";
  if (low == -1.0F && high == 1.0F) return "RELU_N1_TO_1";
  if (low == 0.0F && high == HUGE_VALF) return "RELU";
  return {};
}

class Fuser {
 public:
  explicit Fuser(Graph& graph) : graph_(graph) {}

  void run() {
    while (fuse_one()) {
      layout::sort_nodes(graph_);
      graph_.remove_unused();
    }
  }

 private:
  bool fuse_one() {
    producers_ = graph_.producers();
    consumers_ = graph_.consumers();
    return std::ranges::any_of(graph_.nodes(), [&](Node& node) { return fuse_bias(node) || fuse_activation(node); });
  }

  /// The node that makes a value which nobody else sees.
  Node* only_maker(ValueId id) {
    const std::int32_t index = id == kNoValue ? -1 : producers_[static_cast<std::size_t>(id)];
    if (index < 0 || consumers_[static_cast<std::size_t>(id)].size() != 1 || std::ranges::find(graph_.outputs, id) != graph_.outputs.end())
      return nullptr;
    return &graph_.nodes()[static_cast<std::size_t>(index)];
  }

  /// The host makes the node's output, and the node something that nobody uses.
  void take_over(Node& host, Node& node) {
    const ValueId unused = graph_.add_value(graph_.unused_name("unused"));
    host.outputs[0] = node.outputs[0];
    node.outputs[0] = unused;
    node.inputs = {host.inputs[0]};
  }

  bool fuse_activation(Node& node) {
    const std::string activation = activation_of(graph_, node);
    Node* host = activation.empty() ? nullptr : only_maker(node.inputs[0]);
    if (host == nullptr || !host->domain.empty() || std::ranges::find(kHosts, host->op) == std::end(kHosts)) return false;
    if (graph_.value(node.outputs[0]).type.dtype != DType::kFloat32 || host->attributes.contains(kActivation)) return false;
    if (host->outputs.size() != 1 || (host->op == "MatMul" && graph_.initializer(host->inputs[1]) == nullptr)) return false;
    // A summand of the product that is no row goes behind it, and so must the activation.
    if (host->op == "Gemm" && host->inputs.size() > 2 && host->inputs[2] != kNoValue && !is_row(*host, host->inputs[2])) return false;
    host->attributes[std::string(kActivation)] = activation;
    take_over(*host, node);
    return true;
  }

  bool is_row(const Node& product, ValueId id) const {
    const Tensor* row = graph_.initializer(id);
    const auto& shape = graph_.value(product.outputs[0]).type.shape;
    return row != nullptr && row->dtype() == DType::kFloat32 && shape && !shape->empty() && row->rank() >= 1 &&
           row->dims().back() == shape->back().value && row->count() == shape->back().value;
  }

  bool fuse_bias(Node& node) {
    if (!node.domain.empty() || node.op != "Add" || node.attributes.contains(kActivation)) return false;
    for (const std::size_t side : {0U, 1U}) {
      Node* host = only_maker(node.inputs[side]);
      const ValueId row = node.inputs[1 - side];
      if (host == nullptr || !host->domain.empty() || host->op != "MatMul" || host->inputs.size() != 2) continue;
      const Tensor* weights = graph_.initializer(host->inputs[1]);
      const auto& shape = graph_.value(host->outputs[0]).type.shape;
      if (weights == nullptr || weights->rank() != 2 || row == kNoValue || !shape || shape->size() < 2 || !is_row(*host, row)) continue;
      if (graph_.value(node.outputs[0]).type.shape != shape) continue;
      const Tensor flat = graph_.initializer(row)->reshaped({shape->back().value});
      host->inputs.push_back(graph_.add_initializer(graph_.unused_name(graph_.value(row).name), flat));
      take_over(*host, node);
      node.inputs = {host->inputs[0], host->inputs[0]};
      return true;
    }
    return false;
  }

  Graph& graph_;
  std::vector<std::int32_t> producers_;
  std::vector<std::vector<std::int32_t>> consumers_;
};

}  // namespace

void fuse_for_tflite(Graph& graph) { Fuser(graph).run(); }

}  // namespace moru::model::convert
