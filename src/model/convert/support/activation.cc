// SPDX-License-Identifier: Apache-2.0
#include "model/convert/support/activation.h"

#include <fmt/format.h>

namespace moru::model::convert {

ValueId real_value(Rewrite& rewrite, ValueId like) {
  ValueType type = rewrite.type(like);
  if (type.quantization) {
    type.quantization.reset();
    type.dtype = DType::kFloat32;
  }
  return rewrite.value(std::move(type));
}

Result<ValueId> before_activation(Rewrite& rewrite, ValueId to) {
  MORU_ASSIGN_OR_RETURN(const std::string activation, string_attribute(rewrite.node, kActivation, std::string(kNoActivation)));
  return activation == kNoActivation ? to : real_value(rewrite, to);
}

Status add_activation(Rewrite& rewrite, ValueId made, ValueId to) {
  if (made == to) return {};
  MORU_ASSIGN_OR_RETURN(const std::string activation, string_attribute(rewrite.node, kActivation, std::string(kNoActivation)));
  return add_activation_named(rewrite, activation, made, to);
}

Status add_activation_named(Rewrite& rewrite, std::string_view activation, ValueId from, ValueId to) {
  const auto clip = [&](float low, float high) {
    rewrite.add("Clip", {from, rewrite.constant("low", Tensor::scalar(low)), rewrite.constant("high", Tensor::scalar(high))}, {to});
    return Status{};
  };
  if (activation == "RELU6") return clip(0, 6);
  if (activation == "RELU_N1_TO_1") return clip(-1, 1);
  if (activation == "RELU_0_TO_1") return clip(0, 1);
  if (activation != "RELU" && activation != "TANH")
    return rewrite.unsupported(fmt::format("activation {}", activation), "NONE, RELU, RELU6, RELU_N1_TO_1 or TANH");
  rewrite.add(activation == "RELU" ? "Relu" : "Tanh", {from}, {to});
  return {};
}

}  // namespace moru::model::convert
