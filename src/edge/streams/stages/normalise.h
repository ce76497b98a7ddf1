// SPDX-License-Identifier: Apache-2.0
// The notes that stages leave on an item about a model: how a tensor was normalised, and the card's alert threshold. A
// model can be swapped while items are between two stages; with the notes each item is treated by one card as a whole.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "edge/streams/item.h"

namespace moru::edge {

/// Of an image byte x: (x / 255 - mean) / std.
struct Normalisation {
  double mean = 0.0;
  double std = 1.0;
  bool operator==(const Normalisation&) const = default;
};

/// double: the alert threshold of the model card that ran the item.
inline constexpr std::string_view kThresholdNote = "model.alert_threshold";

inline void note_normalisation(Item& item, const std::string& field, const Normalisation& used) {
  item.set(field + ".mean", used.mean);
  item.set(field + ".std", used.std);
}

/// How the tensor in `field` was normalised, where a stage has said so.
inline std::optional<Normalisation> normalisation_of(const Item& item, const std::string& field) {
  const auto* mean = item.get<double>(field + ".mean");
  const auto* std = item.get<double>(field + ".std");
  if (mean == nullptr || std == nullptr) return std::nullopt;
  return Normalisation{*mean, *std};
}

}  // namespace moru::edge
