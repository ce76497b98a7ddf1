// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "model/convert/quantized.h"
#include "model/convert/rewrite.h"
#include "model/convert/support/fuse.h"
#include "model/convert/support/hybrid.h"
#include "model/ops/verify.h"
#include "model/passes/layout/cancel.h"
#include "model/passes/pass.h"

namespace moru::model {
namespace convert {
namespace {

const Conversion* find(std::span<const ConversionSet* const> table, std::string_view op) {
  for (const ConversionSet* set : table) {
    const auto row = std::ranges::find(set->rows, op, &Conversion::op);
    if (row != set->rows.end()) return &*row;
  }
  return nullptr;
}

/// Every node in the other words. All nodes are tried, so that the error lists what is in the way.
Status convert_nodes(Graph& graph, bool to_tflite, const ConvertOptions& options, std::vector<std::string>& notes) {
  const auto table = to_tflite ? all_to_tflite() : all_to_onnx();
  const std::string_view domain = to_tflite ? "" : "tflite";
  std::vector<Node> made;
  std::vector<std::string> failures;
  const std::vector<Node> nodes = graph.nodes();
  const auto note_failure = [&](std::size_t i, std::string reason) {
    failures.push_back(fmt::format("{}: {}", describe(graph, i), reason));
    if (options.obstacles != nullptr) options.obstacles->push_back({nodes[i].name, nodes[i].op, std::move(reason)});
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Conversion* conversion = nodes[i].domain == domain ? find(table, nodes[i].op) : nullptr;
    if (conversion == nullptr) {
      note_failure(i, fmt::format("found an op without counterpart in {}", to_tflite ? "TFLite" : "ONNX"));
      continue;
    }
    Rewrite rewrite(graph, nodes[i], to_tflite, options, notes);
    if (const Status status = conversion->run(rewrite); !status) {
      note_failure(i, status.error().message);
      continue;
    }
    std::ranges::move(rewrite.made, std::back_inserter(made));
  }
  if (!failures.empty()) {
    std::string text = fmt::format("{} of {} nodes cannot be converted", failures.size(), nodes.size());
    for (const std::string& failure : failures) text += "\n  " + failure;
    return fail(ErrorCode::kUnsupported, std::move(text));
  }
  graph.nodes() = std::move(made);
  graph.remove_unused();
  return {};
}

/// TFLite leaves extents open without a word; ONNX says by their names which are the same, so that a runtime knows an output's
/// extents from the inputs'.
void name_open_extents(Graph& graph) {
  for (const ValueId id : graph.inputs) {
    ValueType type = graph.value(id).type;
    if (!type.shape) continue;
    for (std::size_t axis = 0; axis < type.shape->size(); ++axis) {
      Dim& dim = (*type.shape)[axis];
      if (!dim.known() && dim.symbol.empty()) dim.symbol = fmt::format("{}_{}", graph.value(id).name, axis);
    }
    graph.set_type(id, std::move(type));
  }
}

}  // namespace
}  // namespace convert

Result<Converted> to_tflite(Graph graph, const ConvertOptions& options) {
  Converted out;
  MORU_RETURN_IF_ERROR(run_passes(graph, std::vector<std::string>{"fold_constants", "eliminate_identity", "fold_batch_norm"}));
  convert::fuse_hybrid(graph);  // first, as an activation behind a layer goes into it next
  convert::fuse_for_tflite(graph);
  MORU_RETURN_IF_ERROR(convert::pairs_to_types(graph));
  MORU_RETURN_IF_ERROR(convert::fit_weights(graph, options, out.notes));
  MORU_RETURN_IF_ERROR(convert::convert_nodes(graph, true, options, out.notes));
  layout::cancel_transposes(graph);
  MORU_RETURN_IF_ERROR(convert::fit_scales(graph, options, out.notes));
  MORU_RETURN_IF_ERROR(run_passes(graph, std::vector<std::string>{"fold_constants"}));  // weights that were moved and reshaped
  graph.remove_unused();
  out.graph = std::move(graph);
  return out;
}

Result<Converted> to_onnx(Graph graph, const ConvertOptions& options) {
  Converted out;
  convert::name_open_extents(graph);
  MORU_RETURN_IF_ERROR(convert::convert_nodes(graph, false, options, out.notes));
  layout::cancel_transposes(graph);
  MORU_RETURN_IF_ERROR(convert::types_to_pairs(graph));
  const bool wide = std::ranges::any_of(graph.nodes(), [&](const Node& node) {
    return node.op == "QuantizeLinear" && graph.value(node.outputs[0]).type.dtype == DType::kInt16;
  });
  graph.opset = wide ? 21 : 18;  // int16 is quantised since 21
  MORU_RETURN_IF_ERROR(run_passes(graph, std::vector<std::string>{"eliminate_identity"}));
  graph.remove_unused();
  out.graph = std::move(graph);
  return out;
}

}  // namespace moru::model
