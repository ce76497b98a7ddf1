// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

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

  Status infer_node(const Node& node) {
    std::vector<ValueType> inputs(node.inputs.size());
    std::vector<const Tensor*> constants(node.inputs.size(), nullptr);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      inputs[i] = graph_.value(node.inputs[i]).type;
      constants[i] = constant(node.inputs[i]);
    }
    MORU_ASSIGN_OR_RETURN(const OpSpec* spec, ops::check_schema(node));
    MORU_ASSIGN_OR_RETURN(const auto types, ops::infer_types(*spec, node, inputs, constants));
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      const Value& value = graph_.value(node.outputs[i]);
      MORU_ASSIGN_OR_RETURN_IN(fmt::format("output '{:.100}'", value.name), auto merged, merge_types(types[i], value.type));
      graph_.set_type(node.outputs[i], std::move(merged));
    }
    return fold(node, types, constants);
  }

 private:
  const Tensor* constant(ValueId id) const {
    if (const Tensor* tensor = graph_.initializer(id)) return tensor;
    const auto it = folded_.find(id);
    return it == folded_.end() ? nullptr : &it->second;
  }

  /// A shape that is computed from constants is a constant too.
  Status fold(const Node& node, std::span<const ValueType> types, std::span<const Tensor* const> constants) {
    if (!std::ranges::all_of(types, is_small_integer)) return {};
    for (std::size_t i = 0; i < constants.size(); ++i) {
      if (node.inputs[i] != kNoValue && constants[i] == nullptr) return {};
    }
    MORU_ASSIGN_OR_RETURN(auto values, evaluate_node(node, constants));
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
  Inference inference(graph);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i)
    MORU_RETURN_IF_ERROR_IN(describe(graph, i), inference.infer_node(graph.nodes()[i]));
  return {};
}

}  // namespace moru::model
