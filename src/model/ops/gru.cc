// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/recurrent.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[T, N, I], or [N, T, I] with layout 1"},
                                {"W", "[D, 3H, I]: the gates z, r, h"},
                                {"R", "[D, 3H, H]"},
                                {"B", "[D, 6H]: the biases of W, then of R; 0", true},
                                {"sequence_lens", "int32 [N], steps of each sequence; T", true},
                                {"initial_h", "[D, N, H], or [N, D, H] with layout 1; 0", true}};
constexpr PortSpec kOutputs[] = {{"Y", "[T, D, N, H], or [N, T, D, H] with layout 1; zeros behind a sequence's end", true},
                                 {"Y_h", "the last h, as initial_h", true}};
constexpr AttributeSpec kAttributes[] = {
    {"activation_alpha", AttributeKind::kFloats, "alpha of the activations that take one, in order"},
    {"activation_beta", AttributeKind::kFloats, "beta of the activations that take one, in order"},
    {"activations", AttributeKind::kStrings, "f and g; Sigmoid, Tanh: a direction"},
    {"clip", AttributeKind::kFloat, "bounds what goes into activations to [-clip, clip]; no bound"},
    {"direction", AttributeKind::kString, "forward, reverse or bidirectional (D is 2); forward"},
    {"hidden_size", AttributeKind::kInt, "H; taken from R when left out"},
    {"layout", AttributeKind::kInt, "1: the batch comes first; 0"},
    {"linear_before_reset", AttributeKind::kInt, "1: n = g(X[t] * Wh^T + r * (h * Rh^T + Rbh) + Wbh); 0"},
};
constexpr std::string_view kActivations[] = {"Sigmoid", "Tanh"};
constexpr OpExample kExamples[] = {{"Zero weights: both gates are a half, the proposal is 0", R"(graph "gru" {
  init x = float32[2, 1, 1] {1, 1}
  init w = float32[1, 3, 1] {0, 0, 0}
  init r = float32[1, 3, 1] {0, 0, 0}
  init h = float32[1, 1, 1] {8}
  y, last = GRU(x, w, r, _, _, h) {hidden_size = 1}
  output y
  output last
})",
                                    "float32[2, 1, 1, 1] {4, 2}\nfloat32[1, 1, 1] {2}"}};

/// z = f(...), r = f(...), n = g(W x + Wb + R (r * h) + Rb), h = (1 - z) * n + z * h. With linear_before_reset the reset
/// gate comes behind R: n = g(W x + Wb + r * (R h + Rb)).
void step(const ops::CellWeights& weights, std::int64_t linear_before_reset, std::span<const double> x, std::vector<double>& h,
          std::vector<double>&) {
  const std::int64_t hidden = weights.hidden;
  const auto& f = weights.activations[0];
  const auto& g = weights.activations[1];
  std::vector<double> update;
  std::vector<double> reset;
  std::vector<double> kept;
  for (std::int64_t j = 0; j < hidden; ++j) {
    update.push_back(f(weights.from_input(j, x) + weights.from_hidden(j, h)));
    reset.push_back(f(weights.from_input(hidden + j, x) + weights.from_hidden(hidden + j, h)));
    kept.push_back(reset.back() * h[static_cast<std::size_t>(j)]);
  }
  std::vector<double> next;
  for (std::int64_t j = 0; j < hidden; ++j) {
    const auto at = static_cast<std::size_t>(j);
    const double before =
        linear_before_reset != 0 ? reset[at] * weights.from_hidden(2 * hidden + j, h) : weights.from_hidden(2 * hidden + j, kept);
    const double proposal = g(weights.from_input(2 * hidden + j, x) + before);
    next.push_back((1.0 - update[at]) * proposal + update[at] * h[at]);
  }
  h = std::move(next);
}

constexpr ops::Recurrence kRecurrence{.gates = 3, .activations = kActivations, .option = "linear_before_reset", .step = step};

Status infer(InferContext& context) { return ops::infer_recurrence(context, kRecurrence); }
Status reference(EvalContext& context) { return ops::reference_recurrence(context, kRecurrence); }

}  // namespace

extern const OpSpec kOp_gru;
const OpSpec kOp_gru{
    .name = "GRU",
    .domain = "",
    .since = 1,
    .doc =
        "A layer of gated recurrent units. X [T, N, I] -> Y [T, D, N, H], Y_h [D, N, H], step by step: z = f(X[t] * Wz^T + h * Rz^T + Wbz "
        "+ "
        "Rbz), r alike, n = g(X[t] * Wh^T + (r * h) * Rh^T + Rbh + Wbh), h = (1 - z) * n + z * h; f is Sigmoid and g Tanh by default.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = ops::upgrade_recurrence,
    .downgrade = ops::downgrade_recurrence};

}  // namespace moru::model
