// SPDX-License-Identifier: Apache-2.0
// Hub and nodes as processes, with a small seeded model: what happens when things are killed in the middle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>

#include "core/random.h"
#include "forge/package/package.h"
#include "model/formats/onnx/onnx.h"
#include "solutions/factory/line.h"
#include "trust/keys.h"

namespace moru::factory {
namespace {

constexpr std::int64_t kSide = 28;
constexpr std::int64_t kClasses = 10;

/// Flatten, one fully connected layer with random weights, softmax: bad at its job, and quick.
model::Graph small_model(std::uint64_t seed) {
  using model::Dim;
  model::Graph graph;
  graph.name = "small";
  const auto image = graph.add_value("image", {model::DType::kFloat32, model::SymbolicShape{Dim{-1, "N"}, Dim{1, ""}, Dim{kSide, ""}, Dim{kSide, ""}}});
  graph.inputs = {image};
  Rng rng(seed);
  std::vector<float> weights(kSide * kSide * kClasses);
  for (auto& weight : weights) weight = static_cast<float>(rng.normal() * 0.05);
  const auto matrix = graph.add_initializer("w", model::Tensor::of<float>({kSide * kSide, kClasses}, weights));
  const auto flat = graph.add_value("flat");
  const auto logits = graph.add_value("logits");
  const auto probabilities = graph.add_value("probabilities", {model::DType::kFloat32, model::SymbolicShape{Dim{-1, "N"}, Dim{kClasses, ""}}});
  graph.nodes().push_back({"flatten", "Flatten", "", {image}, {flat}, {}});
  graph.nodes().push_back({"fc", "Gemm", "", {flat, matrix}, {logits}, {}});
  graph.nodes().push_back({"softmax", "Softmax", "", {logits}, {probabilities}, {}});
  graph.outputs = {probabilities};
  return graph;
}

/// `count` random images and labels, as the two IDX files of a test part.
void write_dataset(const Path& folder, std::uint32_t count) {
  ASSERT_TRUE(make_folders(folder));
  const auto big_endian = [](std::uint32_t value) {
    return std::string{static_cast<char>(value >> 24U), static_cast<char>(value >> 16U), static_cast<char>(value >> 8U), static_cast<char>(value)};
  };
  Rng rng(7);
  std::string images = big_endian(0x803) + big_endian(count) + big_endian(kSide) + big_endian(kSide);
  std::string labels = big_endian(0x801) + big_endian(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    for (std::int64_t pixel = 0; pixel < kSide * kSide; ++pixel) images += static_cast<char>(rng.below(256));
    labels += static_cast<char>(rng.below(kClasses));
  }
  ASSERT_TRUE(write_file_atomic(folder / "t10k-images-idx3-ubyte", images));
  ASSERT_TRUE(write_file_atomic(folder / "t10k-labels-idx1-ubyte", labels));
}
