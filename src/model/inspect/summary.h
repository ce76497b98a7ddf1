// SPDX-License-Identifier: Apache-2.0
// What can be counted of a model without running it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

/// Numbers for symbolic extents.
struct DimBinding {
  std::map<std::string, std::int64_t> named = {};  ///< {"N", 4}
  std::int64_t others = 1;                         ///< every extent of an input that is unknown and not named: a batch, mostly
};

/// The graph with numbers in place of unknown extents of its inputs, and everything that follows from them inferred. Errors:
/// kInvalidArgument for a name that no input has, or an extent that an op does not take.
Result<Graph> bind_dims(Graph graph, const DimBinding& binding);

struct ParameterCount {
  std::int64_t count = 0;
  std::int64_t bytes = 0;
};

/// Activations of one run in the graph's order of nodes: each value lives from the node that makes it to the last one that uses
/// it, inputs from the start and outputs to the end. A memory plan in which no two live values share bytes needs at least `bytes`.
struct ActivationMemory {
  std::int64_t bytes = 0;           ///< live at once while `node` runs, its inputs and outputs among them
  std::string node;                 ///< "node 3 (Conv 'conv1')"; empty for a graph without nodes
  std::int64_t unknown_values = 0;  ///< left out, since their size is not known
};

/// Bodies of If, Loop and Scan count once, however often they run.
struct Summary {
  std::map<std::string, std::int64_t> ops;           ///< "Conv", "tflite.CONV_2D": with the bodies'
  std::int64_t nodes = 0;                            ///< with the bodies'
  std::int64_t bodies = 0;                           ///< graphs inside the graph
  std::map<std::string, ParameterCount> parameters;  ///< by element type
  ParameterCount all_parameters;
  std::int64_t macs = 0;
  std::int64_t nodes_without_macs = 0;  ///< that multiply, but whose extents are not known
  ActivationMemory activations;
  /// How it is quantised: "none"; of ONNX "QDQ" (integers between QuantizeLinear and DequantizeLinear), "QOperator" (QLinearConv)
  /// or "dynamic" (ConvInteger, MatMulInteger on inputs quantised as it runs); of TFLite "int8", "uint8", "int16x8" (activations of 16
  /// bits, weights of 8), "dynamic" (only weights are integers) or "float16 weights".
  std::string quantisation;
};

/// Cost: one walk over the graph. Unknown extents: bind_dims() first.
Summary summarise(const Graph& graph);

/// Bytes of a value; nothing where type or shape is not known, or there is no such number.
std::optional<std::int64_t> bytes_of(const ValueType& type);

}  // namespace moru::model
