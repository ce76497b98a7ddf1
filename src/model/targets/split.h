// SPDX-License-Identifier: Apache-2.0
// A graph cut along its pieces: a model each, and who gives what to whom.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "model/targets/partition.h"
#include "model/tensor/tensor.h"

namespace moru::model::targets {

/// One piece as a model. Its inputs and outputs have the names that they have in the whole.
struct PieceModel {
  bool accelerator = false;
  std::int64_t macs = 0;
  Graph graph;
};

/// The pieces in the order in which they run. What only passes through the whole (an output that is an input or a constant) is in no
/// piece, but for constants, which the last piece gives. Errors: those of infer_shapes(), which would be a bug.
Result<std::vector<PieceModel>> split(const Graph& graph, std::span<const Piece> pieces);

/// Runs a piece: inputs and outputs in its graph's order.
using PieceRunner = std::function<Result<std::vector<Tensor>>(std::size_t piece, std::span<const Tensor> inputs)>;

/// What the pieces need and give, by name; the graphs themselves may lie in files.
struct PieceNames {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
};

/// Runs the pieces one after the other, and hands each what those before it gave. `whole`: the names of the inputs that are given, and
/// of the outputs that are wanted. Errors: those of `run`; kInvalidArgument for a name that nothing gives.
Result<std::vector<Tensor>> run_pieces(const PieceNames& whole, std::span<const PieceNames> pieces, std::span<const Tensor> inputs,
                                       const PieceRunner& run);
PieceNames names_of(const Graph& graph);

}  // namespace moru::model::targets
