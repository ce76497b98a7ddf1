// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/litert/scales.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>

namespace moru::runtime::litert {
namespace {

using model::DType;

constexpr std::string_view kSums[] = {"ADD", "SUB", "SQUARED_DIFFERENCE"};
constexpr std::string_view kProduct = "MUL";
constexpr std::string_view kComparisons[] = {"EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"};

bool is_one_of(std::span<const std::string_view> ops, std::string_view op) { return std::ranges::find(ops, op) != ops.end(); }

bool is_8_bit(const model::ValueType& type) { return type.dtype == DType::kInt8 || type.dtype == DType::kUInt8; }

double scale_of(const model::ValueType& type) {
  return type.quantization && !type.quantization->scales.empty() ? static_cast<double>(type.quantization->scales[0]) : 0;
}

bool is_multiplier(double value) { return value > 0 && value < 1; }

/// Inputs are brought to twice the larger scale, shifted to the left, and the sum from there to the output's scale.
bool sum_is_right(double a, double b, const model::ValueType& output) {
  const double twice = 2 * std::max(a, b);
  const double shifted = output.dtype == DType::kInt16 ? 1 << 15 : 1 << 20;
  return is_multiplier(a / twice) && is_multiplier(b / twice) && is_multiplier(twice / (shifted * scale_of(output)));
}

bool is_right(std::string_view op, const model::ValueType& a, const model::ValueType& b, const model::ValueType& output) {
  if (op == kProduct) return scale_of(a) > 0 && scale_of(b) > 0 && scale_of(output) > 0;
  if (is_one_of(kSums, op)) return sum_is_right(scale_of(a), scale_of(b), output);
  return is_multiplier(scale_of(a)) && is_multiplier(scale_of(b));
}

}  // namespace

Status check_scales(const model::Graph& graph) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const model::Node& node = graph.nodes()[i];
    const bool is_sum = is_one_of(kSums, node.op);
    const bool is_product = node.op == kProduct;
    if (node.inputs.size() != 2 || node.outputs.size() != 1 || (!is_sum && !is_product && !is_one_of(kComparisons, node.op))) continue;
    if (std::ranges::count(node.inputs, model::kNoValue) > 0 || node.outputs[0] == model::kNoValue) continue;
    const model::ValueType& a = graph.value(node.inputs[0]).type;
    const model::ValueType& b = graph.value(node.inputs[1]).type;
    const model::ValueType& output = graph.value(node.outputs[0]).type;
    const bool is_plain = node.op == "ADD" && !a.quantization && !b.quantization;  // a sum of 16 bits can be one of integers
    const bool is_scaled = is_8_bit(a) || (is_sum && !is_plain && a.dtype == DType::kInt16);
    if (!is_scaled || is_right(node.op, a, b, output)) continue;
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: found scales {} and {}, to {}, expected ones that LiteRT's kernel can bring together",
                            model::describe(graph, i), scale_of(a), scale_of(b), scale_of(output)));
  }
  return {};
}

}  // namespace moru::runtime::litert
