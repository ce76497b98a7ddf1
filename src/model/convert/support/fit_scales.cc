// SPDX-License-Identifier: Apache-2.0
// TFLite's kernels take some scales for granted ("TensorFlow Lite 8-bit quantization specification", int8 operators).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "model/convert/quantized.h"
#include "model/passes/layout/permutation.h"

namespace moru::model::convert {
namespace {

/// Output and data inputs have one scale. The ops that only move or compare numbers lose nothing when the change of scale is a
/// node of its own; an average is rounded twice then.
constexpr std::string_view kSameScale[] = {"AVERAGE_POOL_2D",
                                           "BROADCAST_TO",
                                           "CONCATENATION",
                                           "DEPTH_TO_SPACE",
                                           "EXPAND_DIMS",
                                           "GATHER",
                                           "MAXIMUM",
                                           "MAX_POOL_2D",
                                           "MINIMUM",
                                           "MIRROR_PAD",
                                           "PACK",
                                           "PAD",
                                           "PADV2",
                                           "REDUCE_MAX",
                                           "REDUCE_MIN",
                                           "RESHAPE",
                                           "RESIZE_BILINEAR",
                                           "RESIZE_NEAREST_NEIGHBOR",
                                           "SELECT_V2",
                                           "SLICE",
                                           "SPACE_TO_DEPTH",
                                           "SPLIT",
                                           "SPLIT_V",
                                           "SQUEEZE",
                                           "STRIDED_SLICE",
                                           "TILE",
                                           "TRANSPOSE",
                                           "UNPACK"};

struct Fixed {
  std::string_view op;
  DType dtype;
  float scale;
  std::int64_t zero_point;
};
constexpr Fixed kFixed[] = {{"SOFTMAX", DType::kInt8, 1.0F / 256, -128},
                            {"SOFTMAX", DType::kUInt8, 1.0F / 256, 0},
                            {"SOFTMAX", DType::kInt16, 1.0F / 32768, 0},
                            {"LOGISTIC", DType::kInt8, 1.0F / 256, -128},
                            {"LOGISTIC", DType::kUInt8, 1.0F / 256, 0},
                            {"LOGISTIC", DType::kInt16, 1.0F / 32768, 0},
                            {"TANH", DType::kInt8, 1.0F / 128, 0},
                            {"TANH", DType::kUInt8, 1.0F / 128, 128},
                            {"TANH", DType::kInt16, 1.0F / 32768, 0},
                            {"L2_NORMALIZATION", DType::kInt8, 1.0F / 128, 0},
                            {"L2_NORMALIZATION", DType::kUInt8, 1.0F / 128, 128},
                            {"LOG_SOFTMAX", DType::kInt8, 16.0F / 256, 127},
                            {"LOG_SOFTMAX", DType::kUInt8, 16.0F / 256, 255}};

class Fitter {
 public:
  Fitter(Graph& graph, const ConvertOptions& options, std::vector<std::string>& notes) : graph_(graph), options_(options), notes_(notes) {}

  Status fit(std::size_t index) {
    const Node& node = graph_.nodes()[index];
    if (node.outputs.empty() || node.outputs[0] == kNoValue) return {};
    const ValueType type = graph_.value(node.outputs[0]).type;
    if (!type.quantization) return {};
    for (const Fixed& fixed : kFixed) {
      if (fixed.op != node.op || fixed.dtype != type.dtype) continue;
      const Quantization wanted{.scales = {fixed.scale}, .zero_points = {fixed.zero_point}, .axis = 0};
      if (same(wanted, *type.quantization)) return {};
      MORU_RETURN_IF_ERROR(refuse_or_note(index, "its output has another scale than TFLite's kernel gives, so it is rounded twice"));
      return behind(index, 0, wanted);
    }
    if (std::ranges::find(kSameScale, node.op) == std::end(kSameScale)) return {};
    return node.op == "CONCATENATION" || node.op == "PACK" || node.op == "MAXIMUM" || node.op == "MINIMUM" || node.op == "SELECT_V2"
               ? fit_inputs(index, type)
               : fit_output(index, type);
  }

  void finish() {
    for (Node& node : added_) graph_.nodes().push_back(std::move(node));
    layout::sort_nodes(graph_);
  }

 private:
  static bool same(const Quantization& a, const Quantization& b) { return a.scales == b.scales && a.zero_points == b.zero_points; }

  Status refuse_or_note(std::size_t index, std::string_view what) {
    const std::string text = fmt::format("{}: {}", describe(graph_, index), what);
    if (options_.exact) return fail(ErrorCode::kUnsupported, text);
    notes_.push_back(text);
    return {};
  }

  /// The node gives `wanted`, and a QUANTIZE what was there before.
  Status behind(std::size_t index, std::size_t output, const Quantization& wanted) {
    const ValueId y = graph_.nodes()[index].outputs[output];
    ValueType type = graph_.value(y).type;
    type.quantization = wanted;
    const ValueId made = graph_.add_value(graph_.unused_name(graph_.value(y).name), std::move(type));
    graph_.nodes()[index].outputs[output] = made;
    added_.push_back({.name = {}, .op = "QUANTIZE", .domain = "tflite", .inputs = {made}, .outputs = {y}, .attributes = {}});
    return {};
  }

  Status fit_output(std::size_t index, const ValueType& type) {
    for (const ValueId id : graph_.nodes()[index].inputs) {
      if (id == kNoValue || !graph_.value(id).type.quantization || graph_.value(id).type.dtype != type.dtype) continue;
      const Quantization wanted = *graph_.value(id).type.quantization;
      if (same(wanted, *type.quantization) || wanted.scales.size() != 1) return {};
      const std::string& op = graph_.nodes()[index].op;
      if (op == "AVERAGE_POOL_2D" || op == "RESIZE_BILINEAR") {
        MORU_RETURN_IF_ERROR(
            refuse_or_note(index, "its output has another scale than its input, which TFLite cannot express, so it is rounded twice"));
      } else {
        notes_.push_back(
            fmt::format("{}: the change of scale that it had is a QUANTIZE behind it (the same numbers)", describe(graph_, index)));
      }
      for (std::size_t output = 0; output < graph_.nodes()[index].outputs.size(); ++output)
        MORU_RETURN_IF_ERROR(behind(index, output, wanted));
      return {};
    }
    return {};
  }

  Status fit_inputs(std::size_t index, const ValueType& type) {
    bool changed = false;
    for (std::size_t i = 0; i < graph_.nodes()[index].inputs.size(); ++i) {
      const ValueId id = graph_.nodes()[index].inputs[i];
      if (id == kNoValue || !graph_.value(id).type.quantization || same(*graph_.value(id).type.quantization, *type.quantization)) continue;
      ValueType wanted = graph_.value(id).type;
      wanted.quantization = type.quantization;
      const ValueId made = graph_.add_value(graph_.unused_name(graph_.value(id).name), std::move(wanted));
      graph_.nodes()[index].inputs[i] = made;
      added_.push_back({.name = {}, .op = "QUANTIZE", .domain = "tflite", .inputs = {id}, .outputs = {made}, .attributes = {}});
      changed = true;
    }
    if (changed)
      notes_.push_back(fmt::format("{}: unequal scales, so inputs are requantised to that of the output", describe(graph_, index)));
    return {};
  }

  Graph& graph_;
  const ConvertOptions& options_;
  std::vector<std::string>& notes_;
  std::vector<Node> added_;
};

}  // namespace

Status fit_scales(Graph& graph, const ConvertOptions& options, std::vector<std::string>& notes) {
  Fitter fitter(graph, options, notes);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) MORU_RETURN_IF_ERROR(fitter.fit(i));
  fitter.finish();
  return {};
}

}  // namespace moru::model::convert
