// SPDX-License-Identifier: Apache-2.0
// The model card: what a model takes and gives, how it was made and what was measured. It travels in the bundle and
// tells a node everything it needs to run the model.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

struct CardPort {
  std::string name;
  std::string dtype;  ///< "float32"
  SymbolicShape shape;
};

struct ModelCard {
  std::string name;
  std::string task;  ///< "image classification"
  std::vector<CardPort> inputs;
  std::vector<CardPort> outputs;
  std::vector<std::string> labels;  ///< class names, in the order of the output
  /// Pre-processing of an image byte x: (x / 255 - mean) / std.
  double mean = 0.0;
  double std = 1.0;
  /// Post-processing: "softmax" when outputs are logits, "none" when they are probabilities.
  std::string activation = "none";
  /// Alert when the probability of the ordered class is below this; chosen on validation data.
  double alert_threshold = 0.0;
  /// Measured figures, by name, with units in the names: {"top1_int8", 0.915}.
  std::vector<std::pair<std::string, double>> figures;
  /// Where it came from: dataset digest, recipe, seed, parent release.
  std::vector<std::pair<std::string, std::string>> provenance;
};

std::string write_card(const ModelCard& card);
/// Untrusted text. Errors name the field.
Result<ModelCard> read_card(std::string_view text, std::string_view where);

}  // namespace moru::model
