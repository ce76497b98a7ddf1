// SPDX-License-Identifier: Apache-2.0
// What LSTM, GRU and RNN share: the products with the input, made for all steps at once, and the walk over a sequence, whose products with
// the state are a small matrix product a step. Shapes have the letters of model/ops/support/recurrent.h: T, N, I, H, D, G.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "model/ops/support/activation.h"
#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {

/// A function of a gate, on rows. Immutable.
class GateFunction {
 public:
  /// `usual` are those of one direction, where the node names none; one of `directions` times as many for each.
  static Result<std::vector<GateFunction>> read(const model::Node& node, std::span<const std::string_view> usual, std::size_t directions,
                                                const kernels::Kernels& kernels);
  void run(float* x, std::size_t count) const noexcept;

 private:
  kernels::UnaryMap map_ = nullptr;  ///< null: by definition_
  model::ops::Activation definition_;
  float clip_ = 0;  ///< 0: none
  void (*clamp_)(const float* x, float* y, std::size_t count, float low, float high) = nullptr;
};

/// Rows of one length, by the kernels that have two operands.
class RowKernels {
 public:
  RowKernels(const kernels::Kernels& kernels, int width) : map_(kernels.map), width_(static_cast<std::size_t>(width)) {}
  void add(const float* a, const float* b, float* y) const noexcept { run(map_->add, a, b, y); }
  void sub(const float* a, const float* b, float* y) const noexcept { run(map_->sub, a, b, y); }
  void mul(const float* a, const float* b, float* y) const noexcept { run(map_->mul, a, b, y); }
  std::size_t width() const { return width_; }

 private:
  void run(kernels::BinaryMap map, const float* a, const float* b, float* y) const noexcept;
  const kernels::MapKernel* map_;
  std::size_t width_;
};

/// One direction, as a cell is made of it.
struct Direction {
  int hidden = 0;
  int rows_at_once = 0;                  ///< the most sequences that a step has
  std::span<const float> r = {};         ///< [G * H, H]
  std::span<const float> r_bias = {};    ///< [G * H]
  std::span<const float> peephole = {};  ///< [3 * H], empty: 0
  std::span<const GateFunction> functions = {};
  std::int64_t option = 0;  ///< the op's own attribute
};

/// The sequences of one step.
struct CellRows {
  int count = 0;
  const float* projected = nullptr;  ///< rows of G * H: products with the input, biases in them
  std::ptrdiff_t projected_stride = 0;
  float* h = nullptr;  ///< [count, H]
  float* c = nullptr;  ///< [count, H]; of cells that have one
};

/// A step of a cell. Immutable; what it writes to while it works lies in the frame.
class Cell {
 public:
  virtual ~Cell() = default;
  Cell() = default;
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;
  virtual void step(const Frame& frame, const CellRows& rows) const noexcept = 0;
};

struct Recurrence {
  int gates = 1;
  std::span<const std::string_view> functions = {};  ///< the usual ones, of one direction
  std::string_view option = {};                      ///< name of the int attribute that the cell is given; "" for none
  bool has_cell_state = false;
  /// Which gates have the bias of R added to that of W before; the others' cell sees it in Direction::r_bias.
  bool (*takes_r_bias)(int gate, std::int64_t option) = nullptr;
  /// `uses` gets the scratch that the cell works in.
  Result<std::unique_ptr<Cell>> (*make_cell)(Lowering& lowering, const Direction& direction, std::vector<BufferId>& uses) = nullptr;
};

/// Inputs X W R B sequence_lens initial_h [initial_c P], outputs Y Y_h [Y_c]. Weights and lengths are constants.
Status lower_recurrence(Lowering& lowering, const model::Node& node, const Recurrence& recurrence);

}  // namespace moru::runtime::engine
