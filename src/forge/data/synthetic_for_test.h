// SPDX-License-Identifier: Apache-2.0
// A dataset that tests can learn in seconds: class c is a bright 6 x 6 square at place c of a grid, on noise.
#pragma once

#include <cstdint>
#include <string>

#include "core/random.h"
#include "forge/data/dataset.h"

namespace moru::forge {

inline ImageSet synthetic_set_for_test(std::int64_t count, std::int64_t classes, std::uint64_t seed) {
  constexpr std::int64_t kSide = 28;
  Rng random(seed);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * kSide * kSide));
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(count));
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(60));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes)));
    labels[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(label);
    const std::int64_t top = 1 + label / 4 * 9;
    // Columns come in mirrored pairs' left halves only, so that a mirrored image is no other class.
    const std::int64_t left = 1 + label % 4 * 3;
    for (std::int64_t y = top; y < top + 6; ++y) {
      for (std::int64_t x = left; x < left + 6; ++x) pixels[static_cast<std::size_t>((i * kSide + y) * kSide + x)] = 220;
    }
  }
  return {model::Tensor::of<std::uint8_t>({count, kSide, kSide}, pixels), model::Tensor::of<std::uint8_t>({count}, labels)};
}

inline Dataset synthetic_dataset_for_test(std::int64_t train = 400, std::int64_t others = 100, std::int64_t classes = 10) {
  Dataset dataset;
  dataset.name = "squares";
  for (std::int64_t c = 0; c < classes; ++c) dataset.labels.push_back("square " + std::to_string(c));
  dataset.train = synthetic_set_for_test(train, classes, 1);
  dataset.validation = synthetic_set_for_test(others, classes, 2);
  dataset.test = synthetic_set_for_test(others, classes, 3);
  dataset.mean = 0.13;
  dataset.std = 0.14;
  dataset.digest = "squares";
  return dataset;
}

}  // namespace moru::forge
