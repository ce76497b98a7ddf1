// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/recurrent.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[T, N, I], or [N, T, I] with layout 1"},
                                {"W", "[D, 1H, I]"},
                                {"R", "[D, 1H, H]"},
                                {"B", "[D, 2H]: the biases of W, then of R; 0", true},
                                {"sequence_lens", "int32 [N], steps of each sequence; T", true},
                                {"initial_h", "[D, N, H], or [N, D, H] with layout 1; 0", true}};
constexpr PortSpec kOutputs[] = {{"Y", "[T, D, N, H], or [N, T, D, H] with layout 1; zeros behind a sequence's end", true},
                                 {"Y_h", "the last h, as initial_h", true}};
constexpr AttributeSpec kAttributes[] = {
    {"activation_alpha", AttributeKind::kFloats, "alpha of the activations that take one, in order"},
    {"activation_beta", AttributeKind::kFloats, "beta of the activations that take one, in order"},
    {"activations", AttributeKind::kStrings, "f; Tanh: a direction"},
    {"clip", AttributeKind::kFloat, "bounds what goes into activations to [-clip, clip]; no bound"},
    {"direction", AttributeKind::kString, "forward, reverse or bidirectional (D is 2); forward"},
    {"hidden_size", AttributeKind::kInt, "H; taken from R when left out"},
    {"layout", AttributeKind::kInt, "1: the batch comes first; 0"},
};
constexpr std::string_view kActivations[] = {"Tanh"};
constexpr OpExample kExamples[] = {{"Half of what was before is kept", R"(graph "rnn" {
  init x = float32[3, 1, 1] {1, 2, -8}
  init w = float32[1, 1, 1] {1}
  init r = float32[1, 1, 1] {0.5}
  y, last = RNN(x, w, r) {activations = ["Relu"], hidden_size = 1}
  output y
  output last
})",
                                    "float32[3, 1, 1, 1] {1, 2.5, 0}\nfloat32[1, 1, 1] {0}"}};

/// h = f(W x + Wb + R h + Rb)
void step(const ops::CellWeights& weights, std::int64_t, std::span<const double> x, std::vector<double>& h, std::vector<double>&) {
  std::vector<double> next;
  for (std::int64_t j = 0; j < weights.hidden; ++j)
    next.push_back(weights.activations[0](weights.from_input(j, x) + weights.from_hidden(j, h)));
  h = std::move(next);
}

constexpr ops::Recurrence kRecurrence{.gates = 1, .activations = kActivations, .option = "", .step = step};

Status infer(InferContext& context) { return ops::infer_recurrence(context, kRecurrence); }
Status reference(EvalContext& context) { return ops::reference_recurrence(context, kRecurrence); }

}  // namespace

extern const OpSpec kOp_rnn;
const OpSpec kOp_rnn{.name = "RNN",
                     .domain = "",
                     .since = 1,
                     .doc =
                         "A simple recurrent layer. X [T, N, I] -> Y [T, D, N, H], Y_h [D, N, H], step by step: "
                         "h = f(X[t] * W^T + h * R^T + Wb + Rb), f being Tanh by default.",
                     .inputs = kInputs,
                     .outputs = kOutputs,
                     .attributes = kAttributes,
                     .infer = infer,
                     .reference = reference,
                     .examples = kExamples,
                     .upgrade = ops::upgrade_recurrence,
                     .downgrade = ops::downgrade_recurrence};

}  // namespace moru::model
