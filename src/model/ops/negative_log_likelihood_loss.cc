// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/convert.h"
#include "model/ops/support/loss.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {
    {"input", "[N, C, d...]: logarithms of probabilities"}, {"target", "[N, d...]: classes, int32 or int64"}, {"weight", "[C]; 1", true}};
constexpr PortSpec kOutputs[] = {{"loss", "a scalar, or [N, d...] without reduction"}};
constexpr OpExample kExamples[] = {{"The mean over a batch", R"(graph "nll" {
  init x = float32[2, 2] {-1, -2, -3, -0.5}
  init t = int64[2] {0, 1}
  y = NegativeLogLikelihoodLoss(x, t)
  output y
})",
                                    "float32[] {0.75}"}};

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const Tensor input, ops::convert(context.input(0), DType::kFloat64));
  return ops::reference_loss(context, input.data<double>());
}

}  // namespace

extern const OpSpec kOp_negative_log_likelihood_loss;
constinit const OpSpec kOp_negative_log_likelihood_loss{
    .name = "NegativeLogLikelihoodLoss",
    .domain = "",
    .since = 12,
    .doc = "The loss of a classifier: loss[n, d...] = -weight[t] * input[n, t, d...] with t = target[n, d...], summed up if so asked.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = ops::kLossAttributes,
    .infer = ops::infer_loss,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
