// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/activation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace moru::model::ops {
namespace {

struct Function {
  std::string_view name;
  int parameters;  ///< 0: none, 1: alpha, 2: alpha and beta
  double alpha;
  double beta;
  double (*apply)(double x, double alpha, double beta);
};

constexpr Function kFunctions[] = {
    {"Relu", 0, 0, 0, [](double x, double, double) { return x > 0 ? x : 0.0; }},
    {"Tanh", 0, 0, 0, [](double x, double, double) { return std::tanh(x); }},
    {"Sigmoid", 0, 0, 0, [](double x, double, double) { return 1.0 / (1.0 + std::exp(-x)); }},
    {"Softsign", 0, 0, 0, [](double x, double, double) { return x / (1.0 + std::abs(x)); }},
    {"Softplus", 0, 0, 0, [](double x, double, double) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }},
    {"LeakyRelu", 1, 0.01, 0, [](double x, double alpha, double) { return x < 0 ? alpha * x : x; }},
    {"ThresholdedRelu", 1, 1.0, 0, [](double x, double alpha, double) { return x > alpha ? x : 0.0; }},
    {"Elu", 1, 1.0, 0, [](double x, double alpha, double) { return x < 0 ? alpha * std::expm1(x) : x; }},
    {"Affine", 2, 1.0, 0, [](double x, double alpha, double beta) { return alpha * x + beta; }},
    {"ScaledTanh", 2, 1.0, 1.0, [](double x, double alpha, double beta) { return alpha * std::tanh(beta * x); }},
    {"HardSigmoid", 2, 0.2, 0.5, [](double x, double alpha, double beta) { return std::clamp(alpha * x + beta, 0.0, 1.0); }},
};

std::string lower(std::string_view word) {
  std::string text(word);
  for (char& letter : text) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  return text;
}

template <class List>
List list_attribute(const Node& node, std::string_view name) {
  const auto it = node.attributes.find(name);
  const List* list = it == node.attributes.end() ? nullptr : std::get_if<List>(&it->second);
  return list == nullptr ? List() : *list;
}

/// The next of the given parameters, as long as there are any.
double take(std::span<const float>& given, double usual) {
  if (given.empty()) return usual;
  const auto value = static_cast<double>(given.front());
  given = given.subspan(1);
  return value;
}

}  // namespace

double Activation::operator()(double x) const { return apply(clip > 0 ? std::clamp(x, -clip, clip) : x, alpha, beta); }

Result<std::vector<Activation>> read_activations(const Node& node, std::span<const std::string_view> usual, std::size_t directions) {
  auto names = list_attribute<std::vector<std::string>>(node, "activations");
  if (names.empty()) {
    for (std::size_t d = 0; d < directions; ++d) names.insert(names.end(), usual.begin(), usual.end());
  }
  if (names.size() != usual.size() * directions) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("attribute 'activations': found {}, expected {}", names.size(), usual.size() * directions));
  }
  MORU_ASSIGN_OR_RETURN(const float clip, float_attribute(node, "clip", 0.0F));
  const auto alphas = list_attribute<std::vector<float>>(node, "activation_alpha");
  const auto betas = list_attribute<std::vector<float>>(node, "activation_beta");
  std::span<const float> alpha(alphas);
  std::span<const float> beta(betas);
  std::vector<Activation> activations;
  for (const std::string& name : names) {
    // Exporters write them in lower case too.
    const auto* function = std::ranges::find_if(kFunctions, [&](const Function& one) { return lower(one.name) == lower(name); });
    if (function == std::end(kFunctions)) {
      return fail(ErrorCode::kUnsupported, fmt::format("attribute 'activations': found '{:.40}', expected one that ONNX names", name));
    }
    activations.push_back({function->apply, function->parameters > 0 ? take(alpha, function->alpha) : 0.0,
                           function->parameters > 1 ? take(beta, function->beta) : 0.0, static_cast<double>(clip)});
  }
  return activations;
}

}  // namespace moru::model::ops
