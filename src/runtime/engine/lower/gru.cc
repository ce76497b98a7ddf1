// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/recurrent.h"

namespace moru::runtime::engine {
namespace {

constexpr std::string_view kFunctions[] = {"Sigmoid", "Tanh"};
constexpr int kGates = 3;

/// Gates stand in the order z, r, h. The proposal h has a product of its own: its operand is r * h, or its bias is multiplied by r.
class GruCell final : public Cell {
 public:
  struct Scratch {
    BufferId gates;      ///< [N, 2 * H]: z and r
    BufferId proposals;  ///< [N, H]
    BufferId kept;       ///< [N, H]: r * h
  };
  GruCell(const Direction& direction, const MatrixF32& gates, const MatrixF32& proposal, const Scratch& scratch,
          const kernels::Kernels& kernels)
      : gates_(gates),
        proposal_(proposal),
        scratch_(scratch),
        functions_(direction.functions.begin(), direction.functions.end()),
        linear_before_reset_(direction.option != 0),
        rows_(kernels, direction.hidden) {}

  void step(const Frame& frame, const CellRows& it) const noexcept override {
    const auto hidden = static_cast<std::ptrdiff_t>(rows_.width());
    auto* gates = frame.at<float>(scratch_.gates);
    auto* proposals = frame.at<float>(scratch_.proposals);
    auto* kept = frame.at<float>(scratch_.kept);
    gates_.run({.count = it.count, .a = it.h, .stride = hidden},
               {.c = gates, .stride = 2 * hidden, .residual = it.projected, .residual_stride = it.projected_stride}, kAllSlices);
    const float* projected = it.projected + 2 * hidden;
    if (linear_before_reset_) {
      proposal_.run({.count = it.count, .a = it.h, .stride = hidden}, {.c = proposals, .stride = hidden}, kAllSlices);
    }
    for (std::ptrdiff_t n = 0; n < it.count; ++n) {
      float* gate = gates + n * 2 * hidden;
      functions_[0].run(gate, static_cast<std::size_t>(2 * hidden));
      float* proposal = proposals + n * hidden;
      if (linear_before_reset_) {
        rows_.mul(gate + hidden, proposal, proposal);
        rows_.add(projected + n * it.projected_stride, proposal, proposal);
      } else {
        rows_.mul(gate + hidden, it.h + n * hidden, kept + n * hidden);
      }
    }
    if (!linear_before_reset_) {
      proposal_.run({.count = it.count, .a = kept, .stride = hidden},
                    {.c = proposals, .stride = hidden, .residual = projected, .residual_stride = it.projected_stride}, kAllSlices);
    }
    functions_[1].run(proposals, static_cast<std::size_t>(it.count * hidden));
    for (std::ptrdiff_t n = 0; n < it.count; ++n) {
      // (1 - z) * proposal + z * h
      float* h = it.h + n * hidden;
      rows_.sub(h, proposals + n * hidden, h);
      rows_.mul(gates + n * 2 * hidden, h, h);
      rows_.add(proposals + n * hidden, h, h);
    }
  }

 private:
  MatrixF32 gates_;
  MatrixF32 proposal_;
  Scratch scratch_;
  std::vector<GateFunction> functions_;
  bool linear_before_reset_;
  RowKernels rows_;
};

bool takes_r_bias(int gate, std::int64_t linear_before_reset) { return gate < 2 || linear_before_reset == 0; }

Result<std::unique_ptr<Cell>> make_cell(Lowering& lowering, const Direction& direction, std::vector<BufferId>& uses) {
  const auto hidden = static_cast<std::size_t>(direction.hidden);
  const auto gate_rows = direction.r.first(2 * hidden * hidden);
  const auto proposal_rows = direction.r.subspan(2 * hidden * hidden);
  const bool own_bias = direction.option != 0 && !direction.r_bias.empty();
  const auto proposal_bias = own_bias ? direction.r_bias.subspan(2 * hidden) : std::span<const float>();
  MORU_ASSIGN_OR_RETURN(const MatrixF32 gates,
                        make_matrix(lowering, gate_rows, {.n = 2 * direction.hidden, .k = direction.hidden}, {}, {}));
  MORU_ASSIGN_OR_RETURN(const MatrixF32 proposal,
                        make_matrix(lowering, proposal_rows, {.n = direction.hidden, .k = direction.hidden}, proposal_bias, {}));
  const std::size_t bytes = static_cast<std::size_t>(direction.rows_at_once) * hidden * sizeof(float);
  const GruCell::Scratch scratch{lowering.scratch(2 * bytes), lowering.scratch(bytes), lowering.scratch(bytes)};
  uses.insert(uses.end(), {scratch.gates, scratch.proposals, scratch.kept});
  return std::make_unique<GruCell>(direction, gates, proposal, scratch, lowering.kernels());
}

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_recurrence(
      lowering, node,
      {.gates = kGates, .functions = kFunctions, .option = "linear_before_reset", .takes_r_bias = takes_r_bias, .make_cell = make_cell});
}

}  // namespace

extern const LowerSpec kLower_gru;
const LowerSpec kLower_gru{.name = "GRU", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
