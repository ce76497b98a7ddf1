// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "model/convert/quantized.h"
#include "model/passes/layout/permutation.h"

namespace moru::model::convert {
namespace {

/// Ops that TFLite can run on integers.
constexpr std::string_view kQuantized[] = {"Abs",           "Add",        "AveragePool", "BatchNormalization",
                                           "Clip",          "Concat",     "Conv",        "ConvTranspose",
                                           "DepthToSpace",  "Div",        "Exp",         "Expand",
                                           "Flatten",       "Gather",     "Gemm",        "GlobalAveragePool",
                                           "GlobalMaxPool", "HardSwish",  "Identity",    "LeakyRelu",
                                           "Log",           "LogSoftmax", "MatMul",      "Max",
                                           "MaxPool",       "Min",        "Mul",         "PRelu",
                                           "Pad",           "ReduceMax",  "ReduceMean",  "ReduceMin",
                                           "ReduceSum",     "Relu",       "Reshape",     "Resize",
                                           "Rsqrt",         "Sigmoid",    "Slice",       "Softmax",
                                           "SpaceToDepth",  "Split",      "Sqrt",        "Squeeze",
                                           "Sub",           "Tanh",       "Tile",        "Transpose",
                                           "Unsqueeze",     "Where"};

/// Ops whose output has the numbers of its input: the output may have the input's scale without rounding anew.
constexpr std::string_view kMoves[] = {"Flatten",   "Identity",  "MaxPool", "GlobalMaxPool", "Reshape",     "Squeeze",
                                       "Transpose", "Unsqueeze", "Slice",   "DepthToSpace",  "SpaceToDepth"};

bool is_in(std::span<const std::string_view> names, const Node& node) {
  return node.domain.empty() && std::ranges::find(names, node.op) != names.end();
}

std::optional<std::int64_t> zero_point_at(const Tensor& tensor, std::int64_t i) {
  const auto at = static_cast<std::size_t>(i);
  switch (tensor.dtype()) {
    case DType::kInt8: return tensor.data<std::int8_t>()[at];
    case DType::kUInt8: return tensor.data<std::uint8_t>()[at];
    case DType::kInt16: return tensor.data<std::int16_t>()[at];
    case DType::kInt32: return tensor.data<std::int32_t>()[at];
    default: return std::nullopt;
  }
}

/// The parameters of a QuantizeLinear or DequantizeLinear with constants; nothing for other types and blocks.
std::optional<Quantization> parameters_of(const Graph& graph, const Node& node) {
  const Tensor* scale = graph.initializer(node.inputs[1]);
  const bool has_zero = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
  const Tensor* zero = has_zero ? graph.initializer(node.inputs[2]) : nullptr;
  if (scale == nullptr || scale->dtype() != DType::kFloat32 || scale->rank() > 1 || (has_zero && zero == nullptr)) return std::nullopt;
  const auto block = int_attribute(node, "block_size", 0);
  const auto axis = int_attribute(node, "axis", 1);
  const auto& shape = graph.value(node.inputs[0]).type.shape;
  if (!block || *block != 0 || !axis || !shape) return std::nullopt;
  Quantization out;
  out.scales.assign(scale->data<float>().begin(), scale->data<float>().end());
  for (std::int64_t i = 0; i < scale->count(); ++i) {
    const auto point = zero != nullptr ? zero_point_at(*zero, i) : std::optional<std::int64_t>(0);
    if (!point) return std::nullopt;
    out.zero_points.push_back(*point);
  }
  if (out.scales.size() > 1) out.axis = static_cast<std::int32_t>(*axis < 0 ? *axis + std::ssize(*shape) : *axis);
  return out;
}

/// A quantised integer type that TFLite has.
bool is_quantized_dtype(const ValueType& type) {
  return type.dtype == DType::kInt8 || type.dtype == DType::kUInt8 || type.dtype == DType::kInt16 || type.dtype == DType::kInt32;
}

class Absorber {
 public:
  explicit Absorber(Graph& graph) : graph_(graph) {}

  Status run() {
    carry_through_moves();
    refresh();
    MORU_RETURN_IF_ERROR(annotate());
    std::vector<bool> whole(graph_.nodes().size(), false);
    for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = is_whole(graph_.nodes()[i]);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      if (whole[i]) absorb(graph_.nodes()[i]);
    }
    join_pairs();
    layout::sort_nodes(graph_);
    graph_.remove_unused();
    return {};
  }

 private:
  const Node* maker(ValueId id, std::string_view op) const {
    const std::int32_t index = id == kNoValue ? -1 : producers_[static_cast<std::size_t>(id)];
    if (index < 0) return nullptr;
    const Node& node = graph_.nodes()[static_cast<std::size_t>(index)];
    return node.domain.empty() && node.op == op ? &node : nullptr;
  }

  bool is_output(ValueId id) const { return std::ranges::find(graph_.outputs, id) != graph_.outputs.end(); }

  void refresh() {
    producers_ = graph_.producers();
    consumers_ = graph_.consumers();
  }

  /// The QuantizeLinear nodes that are all the users of a value, with one set of parameters; empty otherwise.
  std::vector<std::size_t> quantizers(ValueId id) const {
    std::vector<std::size_t> found;
    if (is_output(id)) return {};
    for (const std::int32_t user : consumers_[static_cast<std::size_t>(id)]) {
      const Node& node = graph_.nodes()[static_cast<std::size_t>(user)];
      if (!node.domain.empty() || node.op != "QuantizeLinear" || !parameters_of(graph_, node)) return {};
      const auto& type = graph_.value(node.outputs[0]).type;
      if (!is_quantized_dtype(type)) return {};
      if (!found.empty()) {
        const Node& first = graph_.nodes()[found[0]];
        if (parameters_of(graph_, first) != parameters_of(graph_, node) || graph_.value(first.outputs[0]).type.dtype != type.dtype)
          return {};
      }
      found.push_back(static_cast<std::size_t>(user));
    }
    return found;
  }

  /// DQ -> MaxPool -> other: a pair with the same parameters goes behind the MaxPool. It changes no number.
  void carry_through_moves() {
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      refresh();
      const Node node = graph_.nodes()[i];
      if (!is_in(kMoves, node) || node.outputs.size() != 1 || node.outputs[0] == kNoValue) continue;
      const Node* from = maker(node.inputs[0], "DequantizeLinear");
      if (from == nullptr || graph_.initializer(from->inputs[0]) != nullptr) continue;
      const auto parameters = parameters_of(graph_, *from);
      if (!parameters || parameters->scales.size() != 1 || !quantizers(node.outputs[0]).empty()) continue;
      const auto& stored = graph_.value(from->inputs[0]).type;
      if (!is_quantized_dtype(stored)) continue;
      const ValueId y = node.outputs[0];
      ValueType type = graph_.value(y).type;
      const ValueId real = graph_.add_value(graph_.unused_name(graph_.value(y).name), type);
      type.dtype = stored.dtype;
      const ValueId integers = graph_.add_value(graph_.unused_name(graph_.value(y).name), type);
      std::vector<ValueId> quantize{real};
      std::vector<ValueId> dequantize{integers};
      quantize.insert(quantize.end(), from->inputs.begin() + 1, from->inputs.end());
      dequantize.insert(dequantize.end(), from->inputs.begin() + 1, from->inputs.end());
      graph_.nodes()[i].outputs[0] = real;
      graph_.nodes().push_back(
          {.name = {}, .op = "QuantizeLinear", .domain = {}, .inputs = quantize, .outputs = {integers}, .attributes = {}});
      graph_.nodes().push_back(
          {.name = {}, .op = "DequantizeLinear", .domain = {}, .inputs = dequantize, .outputs = {y}, .attributes = {}});
      layout::sort_nodes(graph_);
    }
  }

  /// Each integer value that a pair is about gets the pair's parameters as its type.
  Status annotate() {
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      Node& node = graph_.nodes()[i];
      const bool quantize = node.domain.empty() && node.op == "QuantizeLinear";
      if (!quantize && !(node.domain.empty() && node.op == "DequantizeLinear")) continue;
      ValueId stored = quantize ? node.outputs[0] : node.inputs[0];
      const auto parameters = parameters_of(graph_, node);
      if (!parameters || !is_quantized_dtype(graph_.value(stored).type)) continue;
      ValueType type = graph_.value(stored).type;
      if (type.quantization && type.quantization != parameters) {
        const Tensor* constant = graph_.initializer(stored);
        if (constant == nullptr) {
          return fail(ErrorCode::kUnsupported,
                      fmt::format("{}: found '{}' quantised and dequantised by different numbers, expected the same", describe(graph_, i),
                                  graph_.value(stored).name));
        }
        const Tensor copy = *constant;
        stored = graph_.add_initializer(graph_.unused_name(graph_.value(stored).name), copy);
        node.inputs[0] = stored;
      }
      type.quantization = parameters;
      graph_.set_type(stored, std::move(type));
    }
    refresh();
    return {};
  }

  bool is_annotated(ValueId id) const { return graph_.value(id).type.quantization.has_value(); }

  /// Every float input comes from a pair, and every output goes into one.
  bool is_whole(const Node& node) const {
    if (!is_in(kQuantized, node)) return false;
    bool any = false;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id != kNoValue && is_annotated(id)) return false;  // weights of a hybrid layer, which rounds its floats itself
      if (id == kNoValue || graph_.value(id).type.dtype != DType::kFloat32) continue;
      const Node* from = maker(id, "DequantizeLinear");
      const bool pair = from != nullptr && is_annotated(from->inputs[0]);
      any = any || (pair && i == 0);
      // Constants of other kinds: a bias, bounds of a clip, scales of a resize. Weights must be of a pair.
      const bool product = node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm" || node.op == "MatMul";
      const bool parameter = (product && i >= 2) || ((node.op == "Clip" || node.op == "Resize" || node.op == "Pad") && i >= 1);
      if (!pair && !(parameter && graph_.initializer(id) != nullptr)) return false;
    }
    if (!any && node.op != "Where") return false;
    for (const ValueId id : node.outputs) {
      if (id != kNoValue && quantizers(id).empty()) return false;
    }
    return true;
  }

  void absorb(Node& node) {
    for (ValueId& id : node.inputs) {
      const Node* from = maker(id, "DequantizeLinear");
      if (from != nullptr && is_annotated(from->inputs[0])) id = from->inputs[0];
    }
    for (ValueId& id : node.outputs) {
      if (id == kNoValue) continue;
      const auto users = quantizers(id);
      // An output's name must be kept; else any will do.
      ValueId kept = graph_.nodes()[users[0]].outputs[0];
      for (const std::size_t user : users) {
        if (is_output(graph_.nodes()[user].outputs[0])) kept = graph_.nodes()[user].outputs[0];
      }
      for (const std::size_t user : users) {
        const ValueId other = graph_.nodes()[user].outputs[0];
        if (other == kept) {
          dead_.insert(user);
          continue;
        }
        if (!is_output(other)) graph_.replace_uses(other, kept);
        graph_.nodes()[user].inputs[0] = kept;
      }
      id = kept;
    }
  }

  /// DQ -> Q without an op between is a change of scale. And the quantisers whose work is done go.
  void join_pairs() {
    for (Node& node : graph_.nodes()) {
      if (!node.domain.empty() || node.op != "QuantizeLinear") continue;
      const Node* from = maker(node.inputs[0], "DequantizeLinear");
      if (from != nullptr && is_annotated(from->inputs[0]) && is_annotated(node.outputs[0])) node.inputs[0] = from->inputs[0];
    }
    std::vector<Node> kept;
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      if (!dead_.contains(i)) kept.push_back(std::move(graph_.nodes()[i]));
    }
    graph_.nodes() = std::move(kept);
  }

  Graph& graph_;
  std::vector<std::int32_t> producers_;
  std::vector<std::vector<std::int32_t>> consumers_;
  std::set<std::size_t> dead_;
};

}  // namespace

Status pairs_to_types(Graph& graph) { return Absorber(graph).run(); }

}  // namespace moru::model::convert
