// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "model/ops/support/convert.h"
#include "model/ops/support/lines.h"
#include "model/ops/support/loss.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"scores", "[N, C, d...]"}, {"labels", "[N, d...]: classes, int32 or int64"}, {"weights", "[C]; 1", true}};
constexpr PortSpec kOutputs[] = {{"output", "a scalar, or [N, d...] without reduction"},
                                 {"log_prob", "[N, C, d...]: logarithms of the probabilities", true}};
constexpr OpExample kExamples[] = {{"The loss of equal scores is ln 2", R"(graph "cross_entropy" {
  init x = float32[1, 2] {3, 3}
  init t = int64[1] {0}
  y, log_prob = SoftmaxCrossEntropyLoss(x, t)
  output y
  output log_prob
})",
                                    "float32[] {0.6931472}\nfloat32[1, 2] {-0.6931472, -0.6931472}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::infer_loss(context));
  context.set_output(1, context.input(0));
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(Tensor log_prob, ops::convert(context.input(0), DType::kFloat64));
  log_prob = log_prob.clone();
  const auto x = log_prob.mutable_data<double>();
  const ops::Lines lines = ops::lines_along(log_prob.dims(), 1);
  for (std::int64_t line = 0; line < lines.count; ++line) {
    const auto at = [&](std::int64_t i) -> double& { return x[lines.start(line) + static_cast<std::size_t>(i * lines.inner)]; };
    // Without the largest taken off, exp() overflows.
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < lines.extent; ++i) largest = std::max(largest, at(i));
    double sum = 0;
    for (std::int64_t i = 0; i < lines.extent; ++i) sum += std::exp(at(i) - largest);
    for (std::int64_t i = 0; i < lines.extent; ++i) at(i) -= largest + std::log(sum);
  }
  if (context.outputs.size() > 1) {
    MORU_ASSIGN_OR_RETURN(context.outputs[1], ops::convert(log_prob, context.input(0).dtype()));
  }
  return ops::reference_loss(context, x);
}

}  // namespace

extern const OpSpec kOp_softmax_cross_entropy_loss;
constinit const OpSpec kOp_softmax_cross_entropy_loss{
    .name = "SoftmaxCrossEntropyLoss",
    .domain = "",
    .since = 12,
    .doc =
        "The loss of a classifier by its scores: log_prob is LogSoftmax along axis 1, and the loss is -weights[t] * log_prob[n, t, d...] "
        "with t = labels[n, d...], summed up if so asked.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = ops::kLossAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
