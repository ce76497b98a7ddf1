// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, spatial...]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, 1...]"}};
constexpr OpExample kExamples[] = {{"The mean of each channel", R"(graph "global_average_pool" {
  init x = float32[1, 2, 2, 2] {1, 2, 3, 4, 10, 10, 10, 10}
  y = GlobalAveragePool(x)
  output y
})",
                                    "float32[1, 2, 1, 1] {2.5, 10}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kFloatOnly));
  ValueType type = context.input(0);
  if (type.shape && type.shape->size() < 3)
    return ops::input_error(context, 0, fmt::format("found shape {}, expected [N, C, spatial...]", to_string(*type.shape)));
  if (type.shape) std::fill(type.shape->begin() + 2, type.shape->end(), Dim{1, {}});
  context.set_output(0, std::move(type));
  return {};
}

Status reference(EvalContext& context) {
  const Dims& dims = context.input(0).dims();
  const std::int64_t plane = ops::product_of(std::span(dims).subspan(2));
  const float* x = context.input(0).data<float>().data();
  for (float& y : context.outputs[0].mutable_data<float>()) {
    double sum = 0;
    for (std::int64_t i = 0; i < plane; ++i) sum += static_cast<double>(*x++);
    y = static_cast<float>(sum / static_cast<double>(plane));
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_global_average_pool;
const OpSpec kOp_global_average_pool{
    .name = "GlobalAveragePool",
    .domain = "",
    .since = 1,
    .doc = "The mean over all spatial axes. X [N, C, spatial...] -> Y [N, C, 1...]: Y[n, c] = mean over p of X[n, c, p].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = {},
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
