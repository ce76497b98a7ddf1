// SPDX-License-Identifier: Apache-2.0
// Matrix products.
#include <fmt/format.h>

#include "model/convert/rewrite.h"

namespace moru::model::convert {
namespace {

Attributes activation_of(const std::string& activation) { return {{std::string(kActivation), activation}}; }

Tensor times(const Tensor& tensor, float factor) {
  Tensor out = tensor.clone();
  for (float& value : out.mutable_data<float>()) value *= factor;
  return out;
}

/// y = alpha * A * B + beta * C, with B constant or not, as FULLY_CONNECTED with weights [N, K].
Status gemm(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const float alpha, float_attribute(rewrite.node, "alpha", 1.0F));
  MORU_ASSIGN_OR_RETURN(const float beta, float_attribute(rewrite.node, "beta", 1.0F));
  MORU_ASSIGN_OR_RETURN(const std::int64_t trans_a, int_attribute(rewrite.node, "transA", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t trans_b, int_attribute(rewrite.node, "transB", 0));
  MORU_ASSIGN_OR_RETURN(const std::string activation, string_attribute(rewrite.node, kActivation, std::string(kNoActivation)));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape y_shape, rewrite.shape(rewrite.output()));
  ValueId a = trans_a != 0 ? rewrite.transpose(rewrite.input(0), {1, 0}) : rewrite.input(0);
  ValueId b = rewrite.input(1);
  if (alpha != 1.0F) {
    if (rewrite.type(a).quantization) return rewrite.unsupported(fmt::format("alpha {} of a quantised product", alpha), "1");
    const Tensor* weights = rewrite.constant(1);
    if (weights != nullptr) {
      b = rewrite.constant("weights", times(*weights, alpha));
    } else {
      a = rewrite.scaled(a, alpha, 0);
    }
  }
  if (trans_b == 0) b = rewrite.transpose(b, {1, 0});
  ValueId bias = kNoValue;
  ValueId summand = kNoValue;
  if (rewrite.has_input(2)) {
    const Tensor* c = rewrite.constant(2);
    const bool is_row = c != nullptr && y_shape[1].known() && c->count() == y_shape[1].value && (c->rank() == 1 || c->dims()[0] == 1);
    if (is_row && beta == 1.0F && c->rank() == 1) {
      bias = rewrite.input(2);
    } else if (is_row && c->dtype() == DType::kFloat32) {
      bias = rewrite.constant("bias", times(c->reshaped({c->count()}), beta));
    } else if (rewrite.type(rewrite.output()).quantization || activation != kNoActivation) {
      return rewrite.unsupported("a summand C that is no row, in a product that is quantised or has an activation", "a constant row");
    } else {
      summand = rewrite.scaled(rewrite.input(2), beta, 0);
    }
  }
  const ValueId made = summand == kNoValue ? rewrite.output() : rewrite.value(rewrite.type(rewrite.output()));
  Attributes attributes = activation_of(activation);
  // Of a hybrid layer alone.
  MORU_ASSIGN_OR_RETURN(const std::int64_t asymmetric, int_attribute(rewrite.node, "asymmetric_quantize_inputs", 0));
  if (asymmetric != 0) attributes["asymmetric_quantize_inputs"] = asymmetric;
  rewrite.add("FULLY_CONNECTED", {a, b, bias}, {made}, std::move(attributes));
  if (summand != kNoValue) rewrite.add("ADD", {made, summand}, {rewrite.output()});
  return {};
}

/// A third input is a bias that an Add brought.
Status mat_mul(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::string activation, string_attribute(rewrite.node, kActivation, std::string(kNoActivation)));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape a, rewrite.shape(rewrite.input(0)));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape b, rewrite.shape(rewrite.input(1)));
  if (b.size() == 2 && rewrite.constant(1) != nullptr && a.size() >= 2) {
    Attributes attributes = activation_of(activation);
    if (a.size() > 2) attributes["keep_num_dims"] = std::int64_t{1};
    rewrite.add("FULLY_CONNECTED", {rewrite.input(0), rewrite.transpose(rewrite.input(1), {1, 0}), rewrite.input(2)}, {rewrite.output()},
                std::move(attributes));
    return {};
  }
  if (a.size() < 2 || b.size() < 2) return rewrite.unsupported("a product with a vector", "matrices");
  rewrite.add("BATCH_MATMUL", {rewrite.input(0), rewrite.input(1)}, {rewrite.output()},
              {{"adj_x", std::int64_t{0}}, {"adj_y", std::int64_t{0}}});
  return {};
}

constexpr Conversion kRows[] = {{"Gemm", gemm}, {"MatMul", mat_mul}};

}  // namespace

extern const ConversionSet kToTflite_product;
const ConversionSet kToTflite_product{kRows};

}  // namespace moru::model::convert
