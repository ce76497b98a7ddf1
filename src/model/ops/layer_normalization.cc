// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/loops.h"
#include "model/ops/support/normalize.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {
    {"X", "any shape but a scalar"}, {"Scale", "stretches to X's axes from axis on"}, {"B", "as Scale; 0", true}};
constexpr PortSpec kOutputs[] = {{"Y", "as X"},
                                 {"Mean", "float32, X's axes before axis, then ones", true},
                                 {"InvStdDev", "float32, as Mean: 1 / sqrt(variance + epsilon)", true}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the first of the axes that are normalised together; -1"},
                                         {"epsilon", AttributeKind::kFloat, "added to the variance; 1e-5"},
                                         {"stash_type", AttributeKind::kInt, "must be 1: Mean and InvStdDev are float32"}};
constexpr OpExample kExamples[] = {{"Each row by its own statistics", R"(graph "layer_norm" {
  init x = float32[2, 2] {1, 3, 10, 20}
  init scale = float32[2] {1, 2}
  init b = float32[2] {0, 0.5}
  y, mean, inverse = LayerNormalization(x, scale, b) {epsilon = 0.0}
  output y
  output mean
  output inverse
})",
                                    "float32[2, 2] {-1, 2.5, -1, 2.5}\nfloat32[2, 1] {2, 15}\nfloat32[2, 1] {1, 0.2}"}};

Result<std::size_t> read_axis(const Node& node, std::size_t rank) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(node, "axis", -1));
  return ops::normalize_axis(axis, rank);
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kReals));
  MORU_ASSIGN_OR_RETURN(const std::int64_t stash, int_attribute(context.node(), "stash_type", 1));
  if (stash != 1) return fail(ErrorCode::kUnsupported, fmt::format("attribute 'stash_type': found {}, expected 1 (float32)", stash));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {dtype, context.input(0).shape});
  for (std::size_t i = 1; i < 3; ++i) context.set_output(i, {DType::kFloat32, std::nullopt});
  if (x == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, read_axis(context.node(), x->size()));
  SymbolicShape statistics = *x;
  std::fill(statistics.begin() + static_cast<std::ptrdiff_t>(axis), statistics.end(), Dim{1, {}});
  for (std::size_t i = 1; i < 3; ++i) {
    context.set_output(i, {DType::kFloat32, statistics});
    const SymbolicShape* factor = ops::shape_of(context, i);
    if (factor == nullptr) continue;
    MORU_ASSIGN_OR_RETURN(const SymbolicShape both, ops::broadcast(*x, *factor));
    bool fits = both.size() == x->size();
    for (std::size_t a = 0; fits && a < both.size(); ++a) fits = ops::merge(both[a], (*x)[a]).has_value();
    if (!fits)
      return ops::input_error(context, i,
                              fmt::format("found {}, expected a shape that stretches to {}", to_string(*factor), to_string(*x)));
  }
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const float epsilon, float_attribute(context.node, "epsilon", 1e-5F));
  const Dims& dims = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, read_axis(context.node, dims.size()));
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(context.input(0)));
  MORU_ASSIGN_OR_RETURN(const Tensor scale, ops::to_float64(context.input(1)));
  MORU_ASSIGN_OR_RETURN(const Tensor bias, ops::to_float64(context.has_input(2) ? context.input(2) : Tensor::scalar(0.0)));
  if (x.count() == 0) return {};
  const auto scale_strides = ops::broadcast_strides(scale.dims(), dims);
  const auto bias_strides = ops::broadcast_strides(bias.dims(), dims);
  const auto size = static_cast<std::size_t>(ops::product_of(std::span(dims).subspan(axis)));
  std::vector<std::int64_t> index(dims.size(), 0);
  return ops::for_float_dtype(context.outputs[0].dtype(), [&]<class T>() -> Status {
    const auto y = context.outputs[0].mutable_data<T>();
    for (std::size_t begin = 0; begin < y.size(); begin += size) {
      const auto run = x.data<double>().subspan(begin, size);
      const ops::Moments moments = ops::moments_of(run, static_cast<double>(epsilon));
      for (std::size_t i = 0; i < size; ++i) {
        std::int64_t s = 0;
        std::int64_t b = 0;
        for (std::size_t a = 0; a < index.size(); ++a) {
          s += index[a] * scale_strides[a];
          b += index[a] * bias_strides[a];
        }
        y[begin + i] =
            ops::rounded<T>((run[i] - moments.mean) * moments.inverse_deviation * scale.data<double>()[static_cast<std::size_t>(s)] +
                            bias.data<double>()[static_cast<std::size_t>(b)]);
        (void)ops::next_index(index, dims);
      }
      if (context.outputs.size() > 1) context.outputs[1].mutable_data<float>()[begin / size] = static_cast<float>(moments.mean);
      if (context.outputs.size() > 2)
        context.outputs[2].mutable_data<float>()[begin / size] = static_cast<float>(moments.inverse_deviation);
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_layer_normalization;
const OpSpec kOp_layer_normalization{.name = "LayerNormalization",
                                     .domain = "",
                                     .since = 17,
                                     .doc =
                                         "Normalises what lies behind `axis` by its own mean and variance. X of any shape -> Y: "
                                         "Y = Scale * (X - Mean) / sqrt(variance + epsilon) + B",
                                     .inputs = kInputs,
                                     .outputs = kOutputs,
                                     .attributes = kAttributes,
                                     .infer = infer,
                                     .reference = reference,
                                     .examples = kExamples};

}  // namespace moru::model
