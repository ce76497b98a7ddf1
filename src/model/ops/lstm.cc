// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/recurrent.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[T, N, I], or [N, T, I] with layout 1"},
                                {"W", "[D, 4H, I]: the gates i, o, f, c"},
                                {"R", "[D, 4H, H]"},
                                {"B", "[D, 8H]: the biases of W, then of R; 0", true},
                                {"sequence_lens", "int32 [N], steps of each sequence; T", true},
                                {"initial_h", "[D, N, H], or [N, D, H] with layout 1; 0", true},
                                {"initial_c", "as initial_h; 0", true},
                                {"P", "[D, 3H]: peepholes of i, o, f; 0", true}};
constexpr PortSpec kOutputs[] = {{"Y", "[T, D, N, H], or [N, T, D, H] with layout 1; zeros behind a sequence's end", true},
                                 {"Y_h", "the last h, as initial_h", true},
                                 {"Y_c", "the last c, as initial_h", true}};
constexpr AttributeSpec kAttributes[] = {
    {"activation_alpha", AttributeKind::kFloats, "alpha of the activations that take one, in order"},
    {"activation_beta", AttributeKind::kFloats, "beta of the activations that take one, in order"},
    {"activations", AttributeKind::kStrings, "f, g and h; Sigmoid, Tanh, Tanh: a direction"},
    {"clip", AttributeKind::kFloat, "bounds what goes into activations to [-clip, clip]; no bound"},
    {"direction", AttributeKind::kString, "forward, reverse or bidirectional (D is 2); forward"},
    {"hidden_size", AttributeKind::kInt, "H; taken from R when left out"},
    {"input_forget", AttributeKind::kInt, "1: f = 1 - i; 0"},
    {"layout", AttributeKind::kInt, "1: the batch comes first; 0"},
};
constexpr std::string_view kActivations[] = {"Sigmoid", "Tanh", "Tanh"};
constexpr OpExample kExamples[] = {{"Zero weights: all gates are a half, the cell halves", R"(graph "lstm" {
  init x = float32[2, 1, 1] {1, 1}
  init w = float32[1, 4, 1] {0, 0, 0, 0}
  init r = float32[1, 4, 1] {0, 0, 0, 0}
  init c = float32[1, 1, 1] {8}
  y, _, cell = LSTM(x, w, r, _, _, _, c) {activations = ["Sigmoid", "Tanh", "Affine"], hidden_size = 1}
  output y
  output cell
})",
                                    "float32[2, 1, 1, 1] {2, 1}\nfloat32[1, 1, 1] {2}"}};

/// i, o, f and the proposal, then c = f * c + i * proposal and h = o * h(c). Peepholes let i and f see the old c, o the new.
void step(const ops::CellWeights& weights, std::int64_t input_forget, std::span<const double> x, std::vector<double>& h,
          std::vector<double>& c) {
  const std::int64_t hidden = weights.hidden;
  const auto& gate = weights.activations[0];
  const auto peephole = [&](std::int64_t row, double cell) {
    return weights.peephole.empty() ? 0.0 : weights.peephole[static_cast<std::size_t>(row)] * cell;
  };
  const auto sum = [&](std::int64_t row) { return weights.from_input(row, x) + weights.from_hidden(row, h); };
  std::vector<double> next;
  for (std::int64_t j = 0; j < hidden; ++j) {
    double& cell = c[static_cast<std::size_t>(j)];
    const double in = gate(sum(j) + peephole(j, cell));
    const double forget = input_forget != 0 ? 1.0 - in : gate(sum(2 * hidden + j) + peephole(2 * hidden + j, cell));
    const double proposal = weights.activations[1](sum(3 * hidden + j));
    cell = forget * cell + in * proposal;
    const double out = gate(sum(hidden + j) + peephole(hidden + j, cell));
    next.push_back(out * weights.activations[2](cell));
  }
  h = std::move(next);
}

constexpr ops::Recurrence kRecurrence{.gates = 4, .activations = kActivations, .option = "input_forget", .step = step};

Status infer(InferContext& context) { return ops::infer_recurrence(context, kRecurrence); }
Status reference(EvalContext& context) { return ops::reference_recurrence(context, kRecurrence); }

}  // namespace

extern const OpSpec kOp_lstm;
const OpSpec kOp_lstm{
    .name = "LSTM",
    .domain = "",
    .since = 1,
    .doc =
        "A layer of long short-term memory cells. X [T, N, I] -> Y [T, D, N, H], Y_h and Y_c [D, N, H], step by step: "
        "i = f(X[t] * Wi^T + h * Ri^T + Pi * c + Wbi + Rbi), f alike, n = g(X[t] * Wc^T + h * Rc^T + Wbc + Rbc), c = f * c + i * n, "
        "o = f(X[t] * Wo^T + h * Ro^T + Po * c + Wbo + Rbo), h = o * h(c); f is Sigmoid, g and h are Tanh by default.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = ops::upgrade_recurrence,
    .downgrade = ops::downgrade_recurrence};

}  // namespace moru::model
