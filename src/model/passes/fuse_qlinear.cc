// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "model/ops/support/integers.h"
#include "model/passes/pass.h"

namespace moru::model {
namespace {

/// Where an op has its inputs: x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero and perhaps a bias.
enum Input : std::size_t { kX, kXScale, kXZero, kW, kWScale, kWZero, kYScale, kYZero, kBias };

/// A constant of one float32, or of as many as there are where `several`. Null for another.
const Tensor* scales(const Graph& graph, ValueId id, bool several) {
  const Tensor* tensor = id == kNoValue ? nullptr : graph.initializer(id);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->count() == 0) return nullptr;
  return tensor->count() == 1 || (several && tensor->rank() == 1) ? tensor : nullptr;
}

bool is_single_constant(const Graph& graph, ValueId id) {
  const Tensor* tensor = id == kNoValue ? nullptr : graph.initializer(id);
  return tensor != nullptr && tensor->count() == 1;
}

bool fuse(Graph& graph, Node& node) {
  const bool is_conv = node.op == "QLinearConv";
  if (!node.domain.empty() || (!is_conv && node.op != "QLinearMatMul") || node.inputs.size() <= kYZero) return false;
  const Tensor* x = scales(graph, node.inputs[kXScale], false);
  const Tensor* w = scales(graph, node.inputs[kWScale], true);
  const Tensor* y = scales(graph, node.inputs[kYScale], false);
  const Tensor* w_zero = graph.initializer(node.inputs[kWZero]);
  const bool known = is_single_constant(graph, node.inputs[kXZero]) && is_single_constant(graph, node.inputs[kYZero]) && w_zero != nullptr;
  if (x == nullptr || w == nullptr || y == nullptr || !known || w_zero->rank() > 1) return false;
  Tensor factors = w->count() == 1 ? Tensor::scalar(0.0F) : Tensor::create(DType::kFloat32, w->dims()).value();
  for (std::size_t i = 0; i < static_cast<std::size_t>(w->count()); ++i) {
    factors.mutable_data<float>()[i] = ops::requantize_factor(x->data<float>()[0], w->data<float>()[i], y->data<float>()[0]);
  }
  const ValueId factor = graph.add_initializer(graph.unused_name(graph.value(node.outputs[0]).name + "_factor"), std::move(factors));
  std::vector<ValueId> inputs = {node.inputs[kX], node.inputs[kXZero], node.inputs[kW], node.inputs[kWZero], factor, node.inputs[kYZero]};
  if (node.inputs.size() > kBias) inputs.push_back(node.inputs[kBias]);
  node.op = is_conv ? "QConv" : "QMatMul";
  node.domain = "moru";
  node.inputs = std::move(inputs);
  return true;
}

Result<std::int64_t> run(Graph& graph) {
  const std::int64_t changes = std::ranges::count_if(graph.nodes(), [&](Node& node) { return fuse(graph, node); });
  if (changes > 0) graph.remove_unused();
  return changes;
}

}  // namespace

extern const PassSpec kPass_fuse_qlinear;
const PassSpec kPass_fuse_qlinear{
    .name = "fuse_qlinear",
    .doc =
        "QLinearConv and QLinearMatMul become QConv and QMatMul of domain moru, whose scales are one factor, as docs/arithmetic.md has it. "
        "Left as they are: those whose scales or zero points are computed, are not float32, or are one a row of the left matrix.",
    .example = R"(graph "qlinear" {
  opset 13
  input x: uint8[1, 2]
  init x_scale = float32[] {0.5}
  init x_zero = uint8[] {128}
  init w = int8[2, 2] {4, 1, 2, 8}
  init w_scale = float32[2] {0.25, 0.5}
  init w_zero = int8[2] {0, 1}
  init y_scale = float32[] {0.25}
  init y_zero = uint8[] {100}
  y = QLinearMatMul(x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero)
  output y
})",
    .run = run};

}  // namespace moru::model
