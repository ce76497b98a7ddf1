// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/quantisation.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "model/inspect/bodies.h"

namespace moru::model {
namespace {

bool is_8_bit(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUInt8 || dtype == DType::kInt4 || dtype == DType::kUInt4; }

/// What carries TFLite's quantisation in a graph and its bodies.
struct Carriers {
  std::set<DType> activations;
  bool integer_weights = false;
};

void look(const Graph& graph, Carriers* carriers) {
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const ValueType& type = graph.value(id).type;
    if (!type.quantization || !type.dtype) continue;
    if (graph.initializer(id) == nullptr) {
      carriers->activations.insert(*type.dtype);
    } else if (is_8_bit(*type.dtype)) {
      carriers->integer_weights = true;
    }
  }
  for (const Node& node : graph.nodes()) for_each_body(node, [&](std::string_view, const Graph& body) { look(body, carriers); });
}

}  // namespace

std::string describe_quantisation(const Graph& graph, const Summary& summary) {
  std::vector<std::string> words;
  const auto has = [&](std::string_view part) {
    return std::ranges::any_of(summary.ops, [&](const auto& op) { return op.first.starts_with(part) && op.second > 0; });
  };
  if (summary.ops.contains("DequantizeLinear")) words.emplace_back("QDQ");
  if (has("QLinear")) words.emplace_back("QOperator");
  if (summary.ops.contains("ConvInteger") || summary.ops.contains("MatMulInteger") || summary.ops.contains("DynamicQuantizeLinear"))
    words.emplace_back("dynamic");
  Carriers carriers;
  look(graph, &carriers);
  if (carriers.activations.contains(DType::kInt16) && carriers.integer_weights) words.emplace_back("int16x8");
  if (carriers.activations.contains(DType::kInt8)) words.emplace_back("int8");
  if (carriers.activations.contains(DType::kUInt8)) words.emplace_back("uint8");
  if (carriers.activations.empty() && carriers.integer_weights) words.emplace_back("dynamic");
  if (summary.parameters.contains("float16") && summary.ops.contains("tflite.DEQUANTIZE")) words.emplace_back("float16 weights");
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace moru::model
