// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "model/formats/tflite/convert.h"

namespace moru::model::tflite {

/// A verified file and what is left of its allowance.
struct File {
  std::span<const std::byte> bytes;
  const fb::Model& model;
  std::shared_ptr<const void> owner;  ///< keeps the bytes; null: tensors are copied
  Allowance allowance;

  /// The bytes of a buffer, inside the flatbuffer or behind it; borrowed. kCorrupt when there are none of that number.
  Result<std::span<const std::byte>> buffer(std::uint32_t index) const;
};

/// The bodies of control-flow ops.
class Bodies {
 public:
  virtual ~Bodies() = default;
  virtual Result<std::shared_ptr<const Graph>> body(std::int64_t index) = 0;
};

/// A graph, and for each tensor of the file's subgraph the value that it became (kNoValue: nobody uses it).
struct SubgraphTensors {
  Graph graph;
  std::vector<ValueId> values;
};

/// Makes our graph of one of the file's. Everything but the rules of its ops is checked. Errors name the op: "op 3 (CONV_2D)".
Result<SubgraphTensors> read_subgraph(File& file, const fb::SubGraph& subgraph, Bodies& bodies);

}  // namespace moru::model::tflite
