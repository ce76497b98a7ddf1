// SPDX-License-Identifier: Apache-2.0
// What RNN, GRU and LSTM share: shapes, options, activations, and the walk over directions, batch and time. Shapes have the
// letters T (time), N (batch), I (inputs), H (hidden), D (directions, 1 or 2) and G (gates: 1, 3, 4).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "model/ops/op.h"
#include "model/ops/support/activation.h"
#include "model/ops/versions.h"

namespace moru::model::ops {

/// What one direction of a cell has, in double. Rows of w [G * H, I] and r [G * H, H] stand in the order of the gates.
struct CellWeights {
  std::int64_t hidden = 0;
  std::span<const double> w;
  std::span<const double> r;
  std::span<const double> w_bias;  ///< [G * H], empty: 0
  std::span<const double> r_bias;
  std::span<const double> peephole;  ///< [3 * H], empty: 0
  std::vector<Activation> activations;

  /// Row `row` of w times x, plus its bias.
  double from_input(std::int64_t row, std::span<const double> x) const;
  /// Row `row` of r times h, plus its bias.
  double from_hidden(std::int64_t row, std::span<const double> h) const;
};

/// One step of a cell: changes h, and c for a cell that has one, from the input x [I].
using CellStep = void (*)(const CellWeights& weights, std::int64_t option, std::span<const double> x, std::vector<double>& h,
                          std::vector<double>& c);

struct Recurrence {
  std::int64_t gates;
  std::span<const std::string_view> activations;  ///< the usual ones, of one direction
  std::string_view option;                        ///< name of the int attribute that step() is given; "" for none
  CellStep step;
};

/// Inputs X W R B sequence_lens initial_h [initial_c P], outputs Y Y_h [Y_c].
Status infer_recurrence(InferContext& context, const Recurrence& recurrence);
Status reference_recurrence(EvalContext& context, const Recurrence& recurrence);

/// Opset 1 said in an attribute whether Y is wanted.
Status upgrade_recurrence(NodeRewrite& rewrite);
/// 'layout' came with opset 14.
Status downgrade_recurrence(NodeRewrite& rewrite);

}  // namespace moru::model::ops
