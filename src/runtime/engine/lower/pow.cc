// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/elements.h"
#include "runtime/engine/unary.h"

namespace moru::runtime::engine {
namespace {

/// The usual exponents, which cost less than the general one.
Status lower_constant(Lowering& lowering, const model::Node& node, float exponent) {
  model::Node one = node;
  one.inputs.resize(1);
  if (exponent == 2.0F) return lower_elements<float, float>(lowering, one, [](float x) { return x * x; });
  if (exponent == 3.0F) return lower_elements<float, float>(lowering, one, [](float x) { return x * x * x; });
  if (exponent == 0.5F) return lower_map(lowering, one, lowering.kernels().map->sqrt);
  return lower_elements<float, float>(lowering, one, [exponent](float x) { return std::pow(x, exponent); });
}

Status lower(Lowering& lowering, const model::Node& node) {
  for (const std::size_t input : {0U, 1U}) {
    MORU_ASSIGN_OR_RETURN(const model::DType dtype, dtype_of(lowering, node, input));
    if (dtype != model::DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected float32");
  }
  MORU_ASSIGN_OR_RETURN(const model::Tensor* exponent, lowering.known(node.inputs[1]));
  if (exponent != nullptr && exponent->count() == 1 && exponent->rank() == 0)
    return lower_constant(lowering, node, exponent->data<float>()[0]);
  return lower_elements<float, float, float>(lowering, node, [](float x, float y) { return std::pow(x, y); });
}

}  // namespace

extern const LowerSpec kLower_pow;
const LowerSpec kLower_pow{.name = "Pow", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
