// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "model/ops/support/types.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape but a scalar"}, {"k", "a scalar, int32"}};
constexpr PortSpec kOutputs[] = {{"values", "[..., k]"}, {"indices", "[..., k], int32"}};
constexpr OpExample kExamples[] = {{"Of a row", R"(graph "topk_v2" {
  init x = float32[3] {2, 3, 1}
  init k = int32[] {2}
  y: float32[2], i: int32[2] = tflite::TOPK_V2(x, k)
  output y
  output i
})",
                                    "float32[2] {3, 2}\nint32[2] {1, 0}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, tflite_ops::kNumber));
  MORU_ASSIGN_OR_RETURN(const auto k, ops::constant_index(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  context.set_output(1, {DType::kInt32, std::nullopt});
  if (x == nullptr) return {};
  if (x->empty()) return ops::input_error(context, 0, "found a scalar, expected at least one axis");
  if (k && (*k < 0 || *k > ops::kMaxExtent || (x->back().known() && *k > x->back().value)))
    return ops::input_error(context, 1, fmt::format("found {}, expected 0 to the last extent of {}", *k, to_string(*x)));
  SymbolicShape y = *x;
  y.back() = k ? Dim{*k, {}} : Dim{};
  context.set_output(0, {context.input(0).dtype, y});
  context.set_output(1, {DType::kInt32, y});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  if (context.outputs[0].count() == 0) return {};
  const std::int64_t depth = x.dims().back();
  const std::int64_t k = context.outputs[0].dims().back();
  return ops::for_number_dtype(x.dtype(), [&]<class T>() -> Status {
    const auto values = context.outputs[0].mutable_data<T>();
    const auto indices = context.outputs[1].mutable_data<std::int32_t>();
    for (std::int64_t row = 0; row < x.count() / depth; ++row) {
      const auto data = x.data<T>().subspan(static_cast<std::size_t>(row * depth), static_cast<std::size_t>(depth));
      std::vector<std::int32_t> order(static_cast<std::size_t>(depth));
      std::iota(order.begin(), order.end(), 0);
      std::ranges::sort(order, [&](std::int32_t a, std::int32_t b) {
        const T x_a = data[static_cast<std::size_t>(a)];
        const T x_b = data[static_cast<std::size_t>(b)];
        return x_a != x_b ? x_a > x_b : a < b;
      });
      for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i) {
        indices[static_cast<std::size_t>(row * k) + i] = order[i];
        values[static_cast<std::size_t>(row * k) + i] = data[static_cast<std::size_t>(order[i])];
      }
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_tflite_topk_v2;
const OpSpec kOp_tflite_topk_v2{.name = "TOPK_V2",
                                .domain = "tflite",
                                .since = 1,
                                .doc = "The k largest elements of each row, largest first, and their indices; of equal ones the first.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attributes = {},
                                .infer = infer,
                                .reference = reference,
                                .examples = kExamples};

}  // namespace moru::model
