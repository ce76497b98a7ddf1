// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/recurrent.h"

namespace moru::runtime::engine {
namespace {

constexpr std::string_view kFunctions[] = {"Tanh"};

class RnnCell final : public Cell {
 public:
  RnnCell(const Direction& direction, const MatrixF32& matrix, BufferId sums)
      : matrix_(matrix), sums_(sums), function_(direction.functions.front()) {}

  void step(const Frame& frame, const CellRows& it) const noexcept override {
    const std::ptrdiff_t hidden = matrix_.call.n;
    auto* sums = frame.at<float>(sums_);
    matrix_.run({.count = it.count, .a = it.h, .stride = hidden},
                {.c = sums, .stride = hidden, .residual = it.projected, .residual_stride = it.projected_stride}, kAllSlices);
    const auto count = static_cast<std::size_t>(it.count * hidden);
    function_.run(sums, count);
    std::copy_n(sums, count, it.h);
  }

 private:
  MatrixF32 matrix_;
  BufferId sums_;
  GateFunction function_;
};

Result<std::unique_ptr<Cell>> make_cell(Lowering& lowering, const Direction& direction, std::vector<BufferId>& uses) {
  MORU_ASSIGN_OR_RETURN(const MatrixF32 matrix, make_matrix(lowering, direction.r, {.n = direction.hidden, .k = direction.hidden}, {}, {}));
  uses.push_back(
      lowering.scratch(static_cast<std::size_t>(direction.rows_at_once) * static_cast<std::size_t>(direction.hidden) * sizeof(float)));
  return std::make_unique<RnnCell>(direction, matrix, uses.back());
}

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_recurrence(lowering, node, {.gates = 1, .functions = kFunctions, .make_cell = make_cell});
}

}  // namespace

extern const LowerSpec kLower_rnn;
const LowerSpec kLower_rnn{.name = "RNN", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
