// SPDX-License-Identifier: Apache-2.0
// Who uses a value, and what of that the step of a node takes over.
#include <algorithm>
#include <cmath>

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {
namespace {

using model::DType;
using model::Node;
using model::Tensor;
using model::ValueId;

bool is_op(const Node& node, std::string_view op) { return node.domain.empty() && node.op == op; }

}  // namespace

const Node* Lowering::only_user(ValueId value, std::string_view op) const {
  const auto& users = consumers_[static_cast<std::size_t>(value)];
  if (users.size() != 1 || is_output_[static_cast<std::size_t>(value)]) return nullptr;
  const Node& user = graph_.nodes()[static_cast<std::size_t>(users.front())];
  return is_op(user, op) ? &user : nullptr;
}

bool Lowering::goes_into_convolutions(ValueId value) const {
  const auto& users = consumers_[static_cast<std::size_t>(value)];
  const auto& type = graph_.value(value).type;
  return type.dtype == DType::kFloat32 && type.shape && type.shape->size() > 2 && !users.empty() &&
         std::ranges::all_of(users, [&](std::int32_t user) { return is_op(graph_.nodes()[static_cast<std::size_t>(user)], "Conv"); });
}

void Lowering::absorb_user(ValueId& value) {
  const auto user = static_cast<std::size_t>(consumers_[static_cast<std::size_t>(value)].front());
  done_[user] = true;
  take_on(graph_.nodes()[user]);
  value = graph_.nodes()[user].outputs.front();
}

Bounds Lowering::absorb_bounds(ValueId& value) {
  Bounds bounds;
  while (true) {
    const Node* relu = only_user(value, "Relu");
    const Node* user = relu != nullptr ? relu : only_user(value, "Clip");
    if (user == nullptr || user->inputs.front() != value) break;
    Bounds next{relu != nullptr ? 0.0F : bounds.low, bounds.high};
    bool is_constant = true;
    for (std::size_t i = 1; i < 3 && relu == nullptr; ++i) {
      if (!has_input(*user, i)) continue;
      const Tensor* bound = known(user->inputs[i]).value_or(nullptr);
      is_constant = is_constant && bound != nullptr && bound->dtype() == DType::kFloat32 && !std::isnan(bound->data<float>()[0]);
      if (!is_constant) break;
      (i == 1 ? next.low : next.high) = bound->data<float>()[0];
    }
    if (!is_constant) break;
    // Clamps one after the other; where the ends of one are the wrong way round, high wins, as in Clip.
    bounds = {std::min(std::max(bounds.low, next.low), next.high), std::min(std::max(bounds.high, next.low), next.high)};
    absorb_user(value);
  }
  return bounds;
}

std::vector<float> Lowering::absorb_bias(ValueId& value, std::size_t axis) {
  const Node* user = only_user(value, "Add");
  if (user == nullptr) return {};
  const Tensor* tensor = known(user->inputs[user->inputs[0] == value ? 1 : 0]).value_or(nullptr);
  const auto& shape = graph_.value(value).type.shape;
  // Of the sum's shape: a constant of a higher rank would stretch the value.
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || !shape || shape != graph_.value(user->outputs[0]).type.shape) return {};
  const auto extent = static_cast<std::size_t>((*shape)[axis].value);
  const std::size_t behind = shape->size() - axis;  // where the axis is, counted from the end
  const bool along = static_cast<std::size_t>(tensor->count()) == extent && tensor->rank() >= behind &&
                     tensor->dims()[tensor->rank() - behind] == (*shape)[axis].value;
  if (tensor->count() != 1 && !along) return {};
  std::vector<float> bias;
  for (std::size_t o = 0; o < extent; ++o) bias.push_back(tensor->data<float>()[tensor->count() == 1 ? 0 : o]);
  absorb_user(value);
  return bias;
}

Result<std::optional<Stored>> Lowering::absorb_residual(ValueId& value, Layout layout) {
  const Node* user = only_user(value, "Add");
  if (user == nullptr) return std::nullopt;
  const ValueId other = user->inputs[user->inputs[0] == value ? 1 : 0];
  const auto& stored = stored_[static_cast<std::size_t>(other)];
  if (!stored || !stored->is_float()) return std::nullopt;
  const auto& shape = graph_.value(value).type.shape;
  if (!shape || shape->size() != stored->dims.size()) return std::nullopt;
  for (std::size_t i = 0; i < shape->size(); ++i) {
    if ((*shape)[i].value != stored->dims[i]) return std::nullopt;
  }
  MORU_ASSIGN_OR_RETURN(Stored residual, moved(*stored, layout));
  absorb_user(value);
  return residual;
}

}  // namespace moru::runtime::engine
