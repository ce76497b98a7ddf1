// SPDX-License-Identifier: Apache-2.0
// From a validated model to a signed release.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "forge/data/dataset.h"
#include "forge/validate/evaluate.h"
#include "forge/validate/threshold.h"
#include "model/formats/bundle/model_card.h"
#include "model/graph/graph.h"
#include "trust/keys.h"

namespace moru::forge {

/// The card of a classifier: ports from the graph, class names and normalisation from the dataset.
model::ModelCard classifier_card(std::string name, const model::Graph& graph, const Dataset& dataset);

/// Adds what was measured: top1_float, top1_int8, agreement, sizes in bytes, latencies in microseconds.
void add_figures(const Comparison& comparison, model::ModelCard* card);
/// Adds the threshold and its rates: false_alarms_validation, detected_validation, ..._test.
void add_figures(const ThresholdReport& report, model::ModelCard* card);

struct ReleaseFile {
  std::string name = "model.onnx";
  std::string target = "any";
  std::string bytes;  ///< ONNX
};

struct Release {
  std::string bytes;   ///< the bundle
  std::string digest;  ///< SHA-256 of the bundle
};

/// A bundle of the card and the files, signed. `created` is a UTC time stamp (format_utc of core/clock.h).
/// Errors: kInvalidArgument for an empty name or list, a version below 1, or a file that is not a readable ONNX model with the
/// card's ports.
Result<Release> make_release(std::string_view name, std::int64_t version, std::string_view created, const model::ModelCard& card,
                             const std::vector<ReleaseFile>& files, const trust::SigningKey& key);

}  // namespace moru::forge
