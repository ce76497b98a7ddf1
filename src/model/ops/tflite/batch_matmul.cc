// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/broadcast.h"
#include "model/ops/tflite/support/quantized.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "[..., M, K]"}, {"y", "[..., K, N], of the same type"}};
constexpr PortSpec kOutputs[] = {{"output", "[..., M, N]"}};
constexpr AttributeSpec kAttributes[] = {
    {"adj_x", AttributeKind::kInt, "1: the first is transposed"},
    {"adj_y", AttributeKind::kInt, "1: the second is transposed"},
    {"asymmetric_quantize_inputs", AttributeKind::kInt,
     "beside float inputs and 8-bit weights: 1: inputs become 8 bits from their least to their largest element; 0: symmetric"}};
constexpr OpExample kExamples[] = {{"A row times a column", R"(graph "batch_matmul" {
  init x = float32[1, 2] {1, 2}
  init y = float32[2, 1] {3, 4}
  z: float32[1, 1] = tflite::BATCH_MATMUL(x, y)
  output z
})",
                                    "float32[1, 1] {11}"}};

using namespace tflite_ops;

Result<bool> flag(const Node& node, std::string_view name) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t value, int_attribute(node, name, 0));
  return value != 0;
}

/// Calls finish(i, sum) for each element of the output.
template <class Sum, class T, class F>
Status for_each_sum(const EvalContext& context, Sum x_zero, Sum y_zero, F finish) {
  MORU_ASSIGN_OR_RETURN(const bool adj_x, flag(context.node, "adj_x"));
  MORU_ASSIGN_OR_RETURN(const bool adj_y, flag(context.node, "adj_y"));
  const Tensor& x = context.input(0);
  const Tensor& y = context.input(1);
  const Dims& out = context.outputs[0].dims();
  if (context.outputs[0].count() == 0) return {};
  const std::int64_t m = out[out.size() - 2];
  const std::int64_t n = out.back();
  const std::int64_t depth = x.dims()[adj_x ? x.rank() - 2 : x.rank() - 1];
  const auto a = x.data<T>();
  const auto b = y.data<T>();
  ops::walk_broadcast<2>({std::span(x.dims()).first(x.rank() - 2), std::span(y.dims()).first(y.rank() - 2)},
                         std::span(out).first(out.size() - 2), [&](std::size_t batch, const auto& at) {
                           const std::size_t a0 = at[0] * static_cast<std::size_t>(m * depth);
                           const std::size_t b0 = at[1] * static_cast<std::size_t>(depth * n);
                           for (std::int64_t i = 0; i < m * n; ++i) {
                             Sum sum = 0;
                             for (std::int64_t k = 0; k < depth; ++k) {
                               const auto from_a = static_cast<std::size_t>(adj_x ? k * m + i / n : i / n * depth + k);
                               const auto from_b = static_cast<std::size_t>(adj_y ? i % n * depth + k : k * n + i % n);
                               sum += (static_cast<Sum>(a[a0 + from_a]) - x_zero) * (static_cast<Sum>(b[b0 + from_b]) - y_zero);
                             }
                             finish(batch * static_cast<std::size_t>(m * n) + static_cast<std::size_t>(i), sum);
                           }
                         });
  return {};
}

template <class T>
Status run_integers(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const Scale x, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale y, input_scale(context, 1));
  MORU_ASSIGN_OR_RETURN(const Scale z, output_scale(context));
  const Multiplier multiplier = quantize_multiplier(static_cast<double>(x.scale * y.scale) / static_cast<double>(z.scale));
  const auto range = range_of(context.outputs[0].dtype());
  const auto out = context.outputs[0].mutable_data<T>();
  return for_each_sum<std::int64_t, T>(context, x.zero_point, y.zero_point, [&](std::size_t i, std::int64_t sum) {
    const std::int32_t scaled = sizeof(T) == 2 ? scale_wide(sum, multiplier) : scale(static_cast<std::int32_t>(sum), multiplier);
    out[i] = static_cast<T>(std::clamp<std::int64_t>(std::int64_t{scaled} + z.zero_point, range.first, range.second));
  });
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, kReal));
  context.set_output(0, {dtype, std::nullopt});
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* y = ops::shape_of(context, 1);
  for (std::size_t i = 0; i < 2; ++i) {
    const SymbolicShape* shape = ops::shape_of(context, i);
    if (shape != nullptr && shape->size() < 2)
      return ops::input_error(context, i, fmt::format("found rank {}, expected 2 or more", shape->size()));
  }
  if (x == nullptr || y == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const bool adj_x, flag(context.node(), "adj_x"));
  MORU_ASSIGN_OR_RETURN(const bool adj_y, flag(context.node(), "adj_y"));
  const std::size_t a = x->size();
  const std::size_t b = y->size();
  MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, adj_y ? b - 1 : b - 2, (*x)[adj_x ? a - 2 : a - 1], "as what x has to sum over"));
  MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 1), SymbolicShape out,
                           ops::broadcast(SymbolicShape(x->begin(), x->end() - 2), SymbolicShape(y->begin(), y->end() - 2)));
  out.push_back((*x)[adj_x ? a - 1 : a - 2]);
  out.push_back((*y)[adj_y ? b - 2 : b - 1]);
  context.set_output(0, {dtype, std::move(out)});
  return {};
}

Status reference(EvalContext& context) {
  switch (context.input(0).dtype()) {
    case DType::kInt8: return run_integers<std::int8_t>(context);
    case DType::kUInt8: return run_integers<std::uint8_t>(context);
    case DType::kInt16: return run_integers<std::int16_t>(context);
    default: break;
  }
  const auto out = context.outputs[0].mutable_data<float>();
  return for_each_sum<double, float>(context, 0.0, 0.0, [&](std::size_t i, double sum) { out[i] = static_cast<float>(sum); });
}

std::optional<std::int64_t> macs(const InferContext& context) {
  const SymbolicShape* x = ops::shape_of(context, 0);
  const auto adj_x = int_attribute(context.node(), "adj_x", 0);
  if (x == nullptr || x->size() < 2 || !adj_x) return std::nullopt;
  return ops::macs_of(context, std::span(*x).subspan(*adj_x != 0 ? x->size() - 2 : x->size() - 1, 1));
}

}  // namespace

extern const OpSpec kOp_tflite_batch_matmul;
const OpSpec kOp_tflite_batch_matmul{
    .name = "BATCH_MATMUL",
    .domain = "tflite",
    .since = 1,
    .doc =
        "Products of matrices. x [..., M, K], y [..., K, N] -> output [..., M, N], leading axes stretch. With "
        "adj_x, adj_y the last two axes are read the other way round.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .macs = macs};

}  // namespace moru::model
