// SPDX-License-Identifier: Apache-2.0
// A convolution is linear, and so is a batch normalization by stored statistics: one after the other is one convolution
// with other weights (Jacob et al., 2018, section 3.2).
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "model/passes/pass.h"

namespace moru::model {
namespace {

/// What the normalization does to channel o: y = x * factor[o] + shift[o].
struct Affine {
  std::vector<double> factor;
  std::vector<double> shift;
};

/// Nothing when a parameter is not constant, not float32, or gives no finite factor.
std::optional<Affine> read_affine(const Graph& graph, const Node& norm, std::size_t channels) {
  std::vector<std::span<const float>> parameters;
  for (std::size_t i = 1; i < 5; ++i) {
    const Tensor* tensor = graph.initializer(norm.inputs[i]);
    if (tensor == nullptr || tensor->dtype() != DType::kFloat32 || tensor->data<float>().size() != channels) return std::nullopt;
    parameters.push_back(tensor->data<float>());
  }
  const auto epsilon = float_attribute(norm, "epsilon", 1e-5F);
  if (!epsilon) return std::nullopt;
  Affine affine;
  for (std::size_t o = 0; o < channels; ++o) {
    const double scale = static_cast<double>(parameters[0][o]);
    const double factor = scale / std::sqrt(static_cast<double>(parameters[3][o]) + static_cast<double>(*epsilon));
    const double shift = static_cast<double>(parameters[1][o]) - static_cast<double>(parameters[2][o]) * factor;
    if (!std::isfinite(factor) || !std::isfinite(shift)) return std::nullopt;
    affine.factor.push_back(factor);
    affine.shift.push_back(shift);
  }
  return affine;
}

/// W[o, ...] * factor[o]. New memory: other nodes may share the old weights.
Tensor scale_weights(const Tensor& weights, const Affine& affine) {
  Tensor scaled = weights.clone();
  const auto values = scaled.mutable_data<float>();
  const std::size_t kernel = values.size() / affine.factor.size();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(static_cast<double>(values[i]) * affine.factor[i / kernel]);
  return scaled;
}

Tensor fold_bias(const Tensor* bias, const Affine& affine) {
  std::vector<float> folded;
  for (std::size_t o = 0; o < affine.factor.size(); ++o) {
    const double before = bias != nullptr ? static_cast<double>(bias->data<float>()[o]) : 0.0;
    folded.push_back(static_cast<float>(before * affine.factor[o] + affine.shift[o]));
  }
  return Tensor::of<float>({std::ssize(folded)}, folded);
}

/// Folds `norm` into `conv`, whose output only `norm` uses. False when a constant is missing.
bool fold(Graph& graph, Node& conv, const Node& norm) {
  const Tensor* weights = graph.initializer(conv.inputs[1]);
  if (weights == nullptr || weights->dtype() != DType::kFloat32 || weights->count() == 0) return false;
  const bool has_bias = conv.inputs.size() > 2 && conv.inputs[2] != kNoValue;
  const Tensor* bias = has_bias ? graph.initializer(conv.inputs[2]) : nullptr;
  if (has_bias && bias == nullptr) return false;
  const auto affine = read_affine(graph, norm, static_cast<std::size_t>(weights->dims()[0]));
  if (!affine) return false;

  const std::string weights_name = graph.value(conv.inputs[1]).name;
  const std::string bias_name = has_bias ? graph.value(conv.inputs[2]).name : weights_name + "_bias";
  Tensor new_weights = scale_weights(*weights, *affine);
  Tensor new_bias = fold_bias(bias, *affine);
  conv.inputs.resize(3, kNoValue);
  conv.inputs[1] = graph.add_initializer(graph.unused_name(weights_name + "_folded"), std::move(new_weights));
  conv.inputs[2] = graph.add_initializer(graph.unused_name(bias_name + "_folded"), std::move(new_bias));
  conv.outputs[0] = norm.outputs[0];
  return true;
}

Result<std::int64_t> run(Graph& graph) {
  auto producers = graph.producers();
  const auto consumers = graph.consumers();
  std::vector<bool> folded(graph.nodes().size(), false);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& norm = graph.nodes()[i];
    if (norm.op != "BatchNormalization" || !norm.domain.empty()) continue;
    const ValueId between = norm.inputs[0];
    const std::int32_t producer = producers[static_cast<std::size_t>(between)];
    if (producer < 0) continue;
    Node& conv = graph.nodes()[static_cast<std::size_t>(producer)];
    if (conv.op != "Conv" || !conv.domain.empty()) continue;
    // Somebody else sees the convolution's own result: it must stay.
    const bool is_output = std::ranges::find(graph.outputs, between) != graph.outputs.end();
    if (is_output || consumers[static_cast<std::size_t>(between)].size() != 1) continue;
    folded[i] = fold(graph, conv, norm);
    // The next normalization in a chain finds the same convolution.
    if (folded[i]) producers[static_cast<std::size_t>(norm.outputs[0])] = producer;
  }
  const auto count = std::ranges::count(folded, true);
  if (count == 0) return 0;
  std::vector<Node> kept;
  for (std::size_t i = 0; i < folded.size(); ++i) {
    if (!folded[i]) kept.push_back(std::move(graph.nodes()[i]));
  }
  graph.nodes() = std::move(kept);
  graph.remove_unused();
  return count;
}

}  // namespace

extern const PassSpec kPass_fold_batch_norm;
const PassSpec kPass_fold_batch_norm{
    .name = "fold_batch_norm",
    .doc =
        "Folds a BatchNormalization into the Conv before it: W' = W * scale / sqrt(var + epsilon), B' = (B - mean) * scale / sqrt(var + "
        "epsilon) + "
        "bias, channel by channel. One op less to run, and no float op left between integer ones after quantization. Left as they are: "
        "convolutions whose own result is used elsewhere, and parameters that are not constant.",
    .example = R"(graph "conv_bn" {
  input x: float32[N, 1, 4]
  init w = float32[1, 1, 2] {1, -1}
  init scale = float32[1] {4}
  init bias = float32[1] {0.5}
  init mean = float32[1] {1}
  init var = float32[1] {4}
  a = Conv(x, w)
  y = BatchNormalization(a, scale, bias, mean, var) {epsilon = 0.0}
  output y
})",
    .run = run};

}  // namespace moru::model
