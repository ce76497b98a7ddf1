// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/recurrent.h"

namespace moru::runtime::engine {
namespace {

constexpr std::string_view kFunctions[] = {"Sigmoid", "Tanh", "Tanh"};
constexpr int kGates = 4;

/// Gates stand in the order i, o, f, c.
class LstmCell final : public Cell {
 public:
  LstmCell(const Direction& direction, const MatrixF32& matrix, const float* peephole, BufferId gates, BufferId work,
           const kernels::Kernels& kernels)
      : matrix_(matrix),
        peephole_(peephole),
        gates_(gates),
        work_(work),
        functions_(direction.functions.begin(), direction.functions.end()),
        input_forget_(direction.option != 0),
        rows_(kernels, direction.hidden) {}

  void step(const Frame& frame, const CellRows& it) const noexcept override {
    const std::size_t hidden = rows_.width();
    auto* gates = frame.at<float>(gates_);
    const auto width = static_cast<std::ptrdiff_t>(kGates * hidden);
    matrix_.run({.count = it.count, .a = it.h, .stride = static_cast<std::ptrdiff_t>(hidden)},
                {.c = gates, .stride = width, .residual = it.projected, .residual_stride = it.projected_stride}, kAllSlices);
    for (int n = 0; n < it.count; ++n) {
      const auto at = static_cast<std::size_t>(n);
      cell(gates + at * kGates * hidden, it.h + at * hidden, it.c + at * hidden, frame.at<float>(work_));
    }
  }

 private:
  /// Peepholes let i and f see the old c, o the new.
  void cell(float* gates, float* h, float* c, float* work) const noexcept {
    const std::size_t hidden = rows_.width();
    float* in = gates;
    float* out = gates + hidden;
    float* forget = gates + 2 * hidden;
    float* proposal = gates + 3 * hidden;
    peep(0, c, in, work);
    functions_[0].run(in, hidden);
    if (input_forget_) {
      for (std::size_t j = 0; j < hidden; ++j) forget[j] = 1.0F - in[j];
    } else {
      peep(2, c, forget, work);
      functions_[0].run(forget, hidden);
    }
    functions_[1].run(proposal, hidden);
    rows_.mul(forget, c, c);
    rows_.mul(in, proposal, proposal);
    rows_.add(c, proposal, c);
    peep(1, c, out, work);
    functions_[0].run(out, hidden);
    for (std::size_t j = 0; j < hidden; ++j) h[j] = c[j];
    functions_[2].run(h, hidden);
    rows_.mul(out, h, h);
  }
  /// gate += peephole * c
  void peep(std::size_t which, const float* c, float* gate, float* work) const noexcept {
    if (peephole_ == nullptr) return;
    rows_.mul(peephole_ + which * rows_.width(), c, work);
    rows_.add(gate, work, gate);
  }

  MatrixF32 matrix_;
  const float* peephole_;  ///< of i, o, f
  BufferId gates_;
  BufferId work_;
  std::vector<GateFunction> functions_;
  bool input_forget_;
  RowKernels rows_;
};

Result<std::unique_ptr<Cell>> make_cell(Lowering& lowering, const Direction& direction, std::vector<BufferId>& uses) {
  const int rows = kGates * direction.hidden;
  MORU_ASSIGN_OR_RETURN(const MatrixF32 matrix, make_matrix(lowering, direction.r, {.n = rows, .k = direction.hidden}, {}, {}));
  const float* peephole = nullptr;
  if (!direction.peephole.empty()) {
    MORU_ASSIGN_OR_RETURN(peephole, lowering.keep(std::vector<float>(direction.peephole.begin(), direction.peephole.end())));
  }
  const BufferId gates =
      lowering.scratch(static_cast<std::size_t>(direction.rows_at_once) * static_cast<std::size_t>(rows) * sizeof(float));
  const BufferId work = lowering.scratch(static_cast<std::size_t>(direction.hidden) * sizeof(float));
  uses.push_back(gates);
  uses.push_back(work);
  return std::make_unique<LstmCell>(direction, matrix, peephole, gates, work, lowering.kernels());
}

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_recurrence(
      lowering, node, {.gates = kGates, .functions = kFunctions, .option = "input_forget", .has_cell_state = true, .make_cell = make_cell});
}

}  // namespace

extern const LowerSpec kLower_lstm;
const LowerSpec kLower_lstm{.name = "LSTM", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
