// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}};
constexpr PortSpec kOutputs[] = {{"output", "of its declared type"}};
constexpr AttributeSpec kAttributes[] = {{"in_data_type", AttributeKind::kString, "element type of the input"},
                                         {"out_data_type", AttributeKind::kString, "element type of the output"}};
constexpr OpExample kExamples[] = {{"Cut", R"(graph "cast" {
  init x = float32[2] {1.7, -1.7}
  y: int32[2] = tflite::CAST(x) {in_data_type = "FLOAT32", out_data_type = "INT32"}
  output y
})",
                                    "int32[2] {1, -1}"}};

/// Floats that do not fit saturate; NaN becomes 0.
template <class X, class Y>
Y cast(X x) {
  const auto wide = ops::widen(x);
  if constexpr (std::is_same_v<Y, bool>) {
    return wide != 0;
  } else if constexpr (ops::kIsReal<X> && !ops::kIsReal<Y>) {
    if (std::isnan(wide)) return Y{0};
    constexpr auto kLow = static_cast<double>(std::numeric_limits<Y>::min());
    constexpr auto kHigh = static_cast<double>(std::numeric_limits<Y>::max());
    if (wide >= kHigh) return std::numeric_limits<Y>::max();
    return wide <= kLow ? std::numeric_limits<Y>::min() : static_cast<Y>(wide);
  } else {
    return ops::narrow<Y>(static_cast<ops::Wide<Y>>(wide));
  }
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, tflite_ops::kMovable));
  context.set_output(0, {context.declared_output(0).dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  if (y.dims() != x.dims()) return fail(ErrorCode::kInvalidArgument, "output 0: found no element type, expected a declared one");
  return ops::for_number_or_bool_dtype(x.dtype(), [&]<class X>() {
    return ops::for_number_or_bool_dtype(y.dtype(), [&]<class Y>() -> Status {
      std::ranges::transform(x.data<X>(), y.mutable_data<Y>().begin(), cast<X, Y>);
      return {};
    });
  });
}

}  // namespace

extern const OpSpec kOp_tflite_cast;
const OpSpec kOp_tflite_cast{.name = "CAST",
                             .domain = "tflite",
                             .since = 1,
                             .doc =
                                 "The same numbers of another type: floats are cut towards 0, integers wrap around, bool is whether a "
                                 "number is not 0.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = kAttributes,
                             .infer = infer,
                             .reference = reference,
                             .examples = kExamples};

}  // namespace moru::model
