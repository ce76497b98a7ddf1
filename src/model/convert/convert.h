// SPDX-License-Identifier: Apache-2.0
// From ONNX's words to TFLite's and back. The README.md of this folder tells how.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

/// A node that is in the way of a conversion.
struct Obstacle {
  std::string node;  ///< its name; may be empty
  std::string op;
  std::string reason;
};

struct ConvertOptions {
  bool exact = false;                          ///< refuse what the other format cannot express, instead of requantising it
  std::vector<Obstacle>* obstacles = nullptr;  ///< the nodes that have no counterpart are added, when a conversion fails because of them
};

struct Converted {
  Graph graph;
  std::vector<std::string> notes;  ///< what was requantised, and other changes that are more than a change of words
};

/// A graph in TFLite's words that computes the same. `graph` is one in ONNX's words; its shapes are inferred here. Quantise/dequantise
/// pairs become quantised tensors. Errors: those of infer_shapes(); kUnsupported listing every node that has no counterpart, or
/// that `exact` refuses. Cost: a few walks over the graph; constants are copied where their layout changes.
Result<Converted> to_tflite(Graph graph, const ConvertOptions& options = {});

/// A graph in ONNX's words that computes the same: quantised tensors become quantise/dequantise pairs around float ops.
/// `graph` has types for all its values, as a reader makes it. Errors and cost: as to_tflite().
Result<Converted> to_onnx(Graph graph, const ConvertOptions& options = {});

}  // namespace moru::model
