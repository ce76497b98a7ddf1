// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "any shape"}};
constexpr PortSpec kOutputs[] = {{"Y", "as X"}};
constexpr OpExample kExamples[] = {{"Negative numbers become 0", R"(graph "relu" {
  init x = float32[3] {-1, 0.5, 2}
  y = Relu(x)
  output y
})",
                                    "float32[3] {0, 0.5, 2}"}};

Status infer(InferContext& context) { return ops::infer_like_input(context, ops::kNumeric); }

Status reference(EvalContext& context) {
  return ops::for_numeric_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    // Written so that NaN stays NaN.
    std::ranges::transform(context.input(0).data<T>(), context.outputs[0].mutable_data<T>().begin(),
                           [](T x) { return x < T{0} ? T{0} : x; });
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_relu;
const OpSpec kOp_relu{.name = "Relu",
                      .domain = "",
                      .since = 6,
                      .doc = "Element by element, any shape: Y = max(X, 0).",
                      .inputs = kInputs,
                      .outputs = kOutputs,
                      .attributes = {},
                      .infer = infer,
                      .reference = reference,
                      .examples = kExamples};

}  // namespace moru::model
