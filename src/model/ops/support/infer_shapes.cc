// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "model/ops/support/schema.h"
#include "model/ops/support/shape.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

// Shapes are computed from small integer tensors; folding more than that here would be the work of a pass.
constexpr std::int64_t kMaxFoldedElements = 64;

std::string type_text(const ValueType& type) {
  return fmt::format("{}{}", type.dtype ? to_string(*type.dtype) : "?", type.shape ? to_string(*type.shape) : "[*]");
}

/// What both types say together; the inferred symbols stay.
Result<ValueType> merge_types(const ValueType& inferred, const ValueType& declared) {
  const auto disagree = [&] {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {}, expected {} as declared", type_text(inferred), type_text(declared)));
  };
  ValueType merged = inferred;
  merged.quantization = declared.quantization;  // nothing to infer: only the file says it
  if (!inferred.dtype) merged.dtype = declared.dtype;
  if (inferred.dtype && declared.dtype && *inferred.dtype != *declared.dtype) return disagree();
  if (!inferred.shape) merged.shape = declared.shape;
  if (!inferred.shape || !declared.shape) return merged;
  if (inferred.shape->size() != declared.shape->size()) return disagree();
  for (std::size_t i = 0; i < inferred.shape->size(); ++i) {
    const auto dim = ops::merge((*inferred.shape)[i], (*declared.shape)[i]);
    if (!dim) return disagree();
    (*merged.shape)[i] = *dim;
  }
  return merged;
}

bool is_small_integer(const ValueType& type) {
  if (!type.shape || (type.dtype != DType::kInt64 && type.dtype != DType::kInt32)) return false;
  const auto count = ops::product(*type.shape);
  return count && count->known() && count->value <= kMaxFoldedElements;
}

class Inference {
 public:
  explicit Inference(Graph& graph) : graph_(graph) {}

  Status infer_nodes() {
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) MORU_RETURN_IF_ERROR_IN(describe(graph_, i), infer_node(graph_.nodes()[i]));
    return {};
  }

  Status infer_node(Node& node) {
    MORU_RETURN_IF_ERROR(infer_bodies(node));
    std::vector<ValueType> inputs(node.inputs.size());
    std::vector<const Tensor*> constants(node.inputs.size(), nullptr);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      inputs[i] = graph_.value(node.inputs[i]).type;
      constants[i] = constant(node.inputs[i]);
    }
    MORU_ASSIGN_OR_RETURN(const OpSpec* spec, ops::check_schema(node));
    std::vector<ValueType> declared;
    for (const ValueId id : node.outputs) declared.push_back(id == kNoValue ? ValueType() : graph_.value(id).type);
    std::vector<std::optional<Tensor>> values;
    MORU_ASSIGN_OR_RETURN(const auto types, ops::infer_types(*spec, node, inputs, constants, declared, &values));
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      const Value& value = graph_.value(node.outputs[i]);
      MORU_ASSIGN_OR_RETURN_IN(fmt::format("output '{:.100}'", value.name), auto merged, merge_types(types[i], value.type));
      graph_.set_type(node.outputs[i], std::move(merged));
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] && node.outputs[i] != kNoValue) folded_.insert_or_assign(node.outputs[i], std::move(*values[i]));
    }
    if (spec->reference == nullptr || node.inputs.empty()) return {};
    return fold(node, types, constants, {inputs, declared});
  }

 private:
  /// What a body captures has the type that it has outside; what the body gives is then known to the op's infer().
  Status infer_bodies(Node& node) {
    for (auto& [name, attribute] : node.attributes) {
      auto* subgraph = std::get_if<Subgraph>(&attribute);
      if (subgraph == nullptr) continue;
      const auto where = fmt::format("attribute '{:.60}'", name);
      Graph body = *subgraph->graph;
      const std::size_t first = body.inputs.size() - subgraph->captures.size();
      for (std::size_t i = 0; i < subgraph->captures.size(); ++i) {
        const ValueId inner = body.inputs[first + i];
        MORU_ASSIGN_OR_RETURN_IN(where, auto merged, merge_types(graph_.value(subgraph->captures[i]).type, body.value(inner).type));
        body.set_type(inner, std::move(merged));
      }
      Inference inner(body);
      for (std::size_t i = 0; i < subgraph->captures.size(); ++i) {
        const Tensor* known = constant(subgraph->captures[i]);
        if (known != nullptr && known->count() <= kMaxFoldedElements) inner.folded_.emplace(body.inputs[first + i], *known);
      }
      MORU_RETURN_IF_ERROR_IN(where, inner.infer_nodes());
      subgraph->graph = std::make_shared<const Graph>(std::move(body));
    }
    return {};
  }

  const Tensor* constant(ValueId id) const {
    if (const Tensor* tensor = graph_.initializer(id)) return tensor;
    const auto it = folded_.find(id);
    return it == folded_.end() ? nullptr : &it->second;
  }

  /// A shape that is computed from constants is a constant too.
  Status fold(const Node& node, std::span<const ValueType> types, std::span<const Tensor* const> constants, const NodeTypes& known) {
    if (!std::ranges::all_of(types, is_small_integer)) return {};
    for (std::size_t i = 0; i < constants.size(); ++i) {
      if (node.inputs[i] != kNoValue && constants[i] == nullptr) return {};
    }
    MORU_ASSIGN_OR_RETURN(auto values, evaluate_node(node, constants, known));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (node.outputs[i] != kNoValue) folded_.insert_or_assign(node.outputs[i], std::move(values[i]));
    }
    return {};
  }

  Graph& graph_;
  std::map<ValueId, Tensor> folded_;
};

}  // namespace

Status infer_shapes(Graph& graph) {
  MORU_RETURN_IF_ERROR(verify(graph));
  return Inference(graph).infer_nodes();
}

Status infer_node(Graph& graph, Node& node) { return Inference(graph).infer_node(node); }

}  // namespace moru::model
