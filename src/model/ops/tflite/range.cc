// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "model/ops/support/types.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"start", "a scalar, int32, int64 or float32"}, {"limit", "a scalar"}, {"delta", "a scalar, not 0"}};
constexpr PortSpec kOutputs[] = {{"output", "[n]"}};
constexpr OpExample kExamples[] = {{"By two", R"(graph "range" {
  init a = int32[] {1}
  init b = int32[] {6}
  init c = int32[] {2}
  y: int32[3] = tflite::RANGE(a, b, c)
  output y
})",
                                    "int32[3] {1, 3, 5}"}};

/// How many numbers there are.
Result<std::int64_t> count_of(const InferContext& context) {
  const auto real = [&](std::size_t index) {
    const Tensor& tensor = *context.constant(index);
    return tensor.dtype() == DType::kFloat32 ? static_cast<double>(tensor.data<float>()[0]) : static_cast<double>(ops::to_ints(tensor)[0]);
  };
  const double count = std::ceil(std::abs((real(1) - real(0)) / real(2)));
  if (real(2) == 0 || !(count <= 1e9))
    return ops::input_error(context, 2,
                            fmt::format("found delta {} from {} to {}, expected at most 10^9 steps", real(2), real(0), real(1)));
  const bool backwards = (real(1) > real(0)) != (real(2) > 0);
  return backwards && real(1) != real(0) ? 0 : static_cast<std::int64_t>(count);
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, {DType::kFloat32, DType::kInt32, DType::kInt64}));
  for (std::size_t i = 0; i < 3; ++i) MORU_RETURN_IF_ERROR(ops::expect_single_element(context, i));
  Dim count;
  if (context.constant(0) != nullptr && context.constant(1) != nullptr && context.constant(2) != nullptr) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t known, count_of(context));
    count = Dim{known, {}};
  }
  context.set_output(0, {dtype, SymbolicShape{count}});
  return {};
}

Status reference(EvalContext& context) {
  return ops::for_dtype<float, std::int32_t, std::int64_t>(context.outputs[0].dtype(), [&]<class T>() -> Status {
    using W = ops::Wide<T>;
    const W delta = ops::widen(context.input(2).data<T>()[0]);
    W value = ops::widen(context.input(0).data<T>()[0]);
    for (T& one : context.outputs[0].mutable_data<T>()) {
      one = ops::narrow<T>(value);
      value = ops::wrap_add(ops::widen(one), delta);
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_tflite_range;
const OpSpec kOp_tflite_range{.name = "RANGE",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "Numbers from start, before limit, delta apart.",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = {},
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
