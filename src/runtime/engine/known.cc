// SPDX-License-Identifier: Apache-2.0
// What is known before any run: extents, and what nodes make of constants alone (weights that are dequantised, shapes that are computed).
// It is computed when a node asks for it, so that what stays packed, such as weights of 4 bits, is never unpacked.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/ops/op.h"
#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {
namespace {

using model::Node;
using model::Tensor;
using model::ValueId;

/// A constant that is made larger than what it is made of is made in the run, from here on; weights of 4 bits become floats of 32.
constexpr std::size_t kMostGrowth = 8;
constexpr std::size_t kMostNewBytes = std::size_t{1} << 20U;

bool is_shape_op(const Node& node) { return node.domain.empty() && (node.op == "Shape" || node.op == "Size"); }

/// The op gives the same each time, and needs nothing but its inputs.
bool is_repeatable(const Node& node) {
  const model::OpSpec* spec = model::find_op(node.op, node.domain);
  const bool is_random = node.op.starts_with("Random") || node.op == "Bernoulli" || node.op == "Multinomial";
  const auto is_body = [](const auto& attribute) { return std::holds_alternative<model::Subgraph>(attribute.second); };
  return spec != nullptr && spec->reference != nullptr && !is_random && std::ranges::none_of(node.attributes, is_body);
}

std::optional<std::size_t> bytes_of(const model::ValueType& type) {
  if (!type.dtype || !type.shape) return std::nullopt;
  model::Dims dims;
  for (const model::Dim& dim : *type.shape) {
    if (!dim.known()) return std::nullopt;
    dims.push_back(dim.value);
  }
  const auto count = model::element_count(dims, *type.dtype);
  if (!count) return std::nullopt;
  return model::bytes_for(*type.dtype, *count);
}

/// Weights that are no numbers would make every result one that is none.
Status check_scales(const Node& node, std::span<const Tensor* const> inputs) {
  const bool has_scales = node.domain.empty() && (node.op == "DequantizeLinear" || node.op == "QuantizeLinear");
  if (!has_scales || inputs[1]->dtype() != model::DType::kFloat32) return {};
  const auto scales = inputs[1]->data<float>();
  const auto wrong = std::ranges::find_if_not(scales, [](float scale) { return std::isfinite(scale); });
  if (wrong == scales.end()) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("found scale {}, expected a finite number", *wrong));
}

}  // namespace

const Node* Lowering::producer(ValueId value) const {
  const std::int32_t node = producers_[static_cast<std::size_t>(value)];
  return node < 0 ? nullptr : &graph_.nodes()[static_cast<std::size_t>(node)];
}

bool Lowering::makes_known(const Node& node) const {
  if (!is_repeatable(node)) return false;
  if (is_shape_op(node)) return bytes_of(graph_.value(node.inputs.front()).type).has_value();
  std::size_t bytes_in = 0;
  for (const ValueId id : node.inputs) {
    if (id == model::kNoValue) continue;
    if (!is_known_[static_cast<std::size_t>(id)]) return false;
    bytes_in += bytes_of(graph_.value(id).type).value_or(0);
  }
  for (const ValueId id : node.outputs) {
    if (id == model::kNoValue) continue;
    const auto bytes = bytes_of(graph_.value(id).type);
    if (!bytes || *bytes > kMostGrowth * bytes_in + kMostNewBytes) return false;
  }
  return true;
}

void Lowering::find_known() {
  for (const auto& [id, tensor] : graph_.initializers()) is_known_[static_cast<std::size_t>(id)] = true;
  for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
    const Node& node = graph_.nodes()[i];
    if (!makes_known(node)) continue;
    done_[i] = true;
    for (const ValueId id : node.outputs) {
      if (id != model::kNoValue) is_known_[static_cast<std::size_t>(id)] = true;
    }
  }
}

Result<Tensor> Lowering::extents_of(const Node& node) const {
  MORU_ASSIGN_OR_RETURN(const model::Dims dims, this->dims(node.inputs.front()));
  if (node.op == "Size") {
    std::int64_t count = 1;
    for (const std::int64_t extent : dims) count *= extent;
    return Tensor::scalar(count);
  }
  const auto rank = static_cast<std::int64_t>(dims.size());
  MORU_ASSIGN_OR_RETURN(std::int64_t start, model::int_attribute(node, "start", 0));
  MORU_ASSIGN_OR_RETURN(std::int64_t end, model::int_attribute(node, "end", rank));
  for (std::int64_t* at : {&start, &end}) *at = std::clamp<std::int64_t>(*at < 0 ? *at + rank : *at, 0, rank);
  const std::span<const std::int64_t> part =
      std::span(dims).subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(std::max<std::int64_t>(end - start, 0)));
  return Tensor::of<std::int64_t>({std::ssize(part)}, part);
}

const Tensor* Lowering::tensor_of(ValueId value) const {
  if (const Tensor* tensor = graph_.initializer(value)) return tensor;
  const auto found = known_.find(value);
  return found == known_.end() ? nullptr : &found->second;
}

Status Lowering::make_known(const Node& node, std::vector<const Node*>& missing) {
  if (is_shape_op(node)) {
    MORU_ASSIGN_OR_RETURN(Tensor extents, extents_of(node));
    known_.emplace(node.outputs.front(), std::move(extents));
    return {};
  }
  std::vector<const Tensor*> inputs;
  const std::size_t before = missing.size();
  for (const ValueId id : node.inputs) {
    inputs.push_back(id == model::kNoValue ? nullptr : tensor_of(id));
    if (id != model::kNoValue && inputs.back() == nullptr) missing.push_back(producer(id));
  }
  if (missing.size() > before) return {};
  const std::string where = model::describe(graph_, static_cast<std::size_t>(&node - graph_.nodes().data()));
  MORU_RETURN_IF_ERROR_IN(where, check_scales(node, inputs));
  MORU_ASSIGN_OR_RETURN_IN(where, auto made, model::evaluate_node(node, inputs));
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != model::kNoValue) known_.emplace(node.outputs[i], std::move(made[i]));
  }
  return {};
}

/// With a list instead of calls of itself: a hostile chain may be long.
Result<const Tensor*> Lowering::known(ValueId value) {
  if (!is_known_[static_cast<std::size_t>(value)]) return nullptr;
  if (const Tensor* tensor = tensor_of(value)) return tensor;
  std::vector<const Node*> missing = {producer(value)};
  while (!missing.empty()) {
    const std::size_t before = missing.size();
    MORU_RETURN_IF_ERROR(make_known(*missing.back(), missing));
    if (missing.size() == before) missing.pop_back();
  }
  return tensor_of(value);
}

}  // namespace moru::runtime::engine
