// SPDX-License-Identifier: Apache-2.0
// A hub and nodes as processes, with a model and a data set that need no training: an image of class k is bright in the
// two rows 2k and 2k + 1, and one fully connected layer looks for them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/random.h"
#include "forge/package/package.h"
#include "model/formats/onnx/onnx.h"
#include "solutions/factory/line.h"
#include "trust/keys.h"

namespace moru::testing {

inline constexpr std::int64_t kSide = 28;
inline constexpr std::int64_t kClasses = 10;

/// Flatten, one fully connected layer, softmax. Names the class `shift` above the right one: 0 is right on every image,
/// anything else on none.
inline model::Graph stripe_model(std::int64_t shift) {
  using model::Dim;
  model::Graph graph;
  graph.name = "small";
  const auto image =
      graph.add_value("image", {model::DType::kFloat32, model::SymbolicShape{Dim{-1, "N"}, Dim{1, ""}, Dim{kSide, ""}, Dim{kSide, ""}}});
  graph.inputs = {image};
  std::vector<float> weights(kSide * kSide * kClasses);
  for (std::int64_t pixel = 0; pixel < 2 * kClasses * kSide; ++pixel) {
    const std::int64_t named = (pixel / (2 * kSide) + shift) % kClasses;
    weights[static_cast<std::size_t>(pixel * kClasses + named)] = 0.2F;
  }
  const auto matrix = graph.add_initializer("w", model::Tensor::of<float>({kSide * kSide, kClasses}, weights));
  const auto flat = graph.add_value("flat");
  const auto logits = graph.add_value("logits");
  const auto probabilities =
      graph.add_value("probabilities", {model::DType::kFloat32, model::SymbolicShape{Dim{-1, "N"}, Dim{kClasses, ""}}});
  graph.nodes().push_back({"flatten", "Flatten", "", {image}, {flat}, {}});
  graph.nodes().push_back({"fc", "Gemm", "", {flat, matrix}, {logits}, {}});
  graph.nodes().push_back({"softmax", "Softmax", "", {logits}, {probabilities}, {}});
  graph.outputs = {probabilities};
  return graph;
}

/// `count` striped images with some noise, and their labels, as the two IDX files of a test part.
inline void write_stripes(const Path& folder, std::uint32_t count) {
  ASSERT_TRUE(make_folders(folder));
  const auto big_endian = [](std::uint32_t value) {
    return std::string{static_cast<char>(value >> 24U), static_cast<char>(value >> 16U), static_cast<char>(value >> 8U),
                       static_cast<char>(value)};
  };
  Rng rng(7);
  std::string images = big_endian(0x803) + big_endian(count) + big_endian(kSide) + big_endian(kSide);
  std::string labels = big_endian(0x801) + big_endian(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int64_t>(rng.below(kClasses));
    labels += static_cast<char>(label);
    for (std::int64_t pixel = 0; pixel < kSide * kSide; ++pixel) {
      const std::uint64_t base = pixel / (2 * kSide) == label ? 200 : 0;
      images += static_cast<char>(base + rng.below(56));
    }
  }
  ASSERT_TRUE(write_file_atomic(folder / "t10k-images-idx3-ubyte", images));
  ASSERT_TRUE(write_file_atomic(folder / "t10k-labels-idx1-ubyte", labels));
}

/// A folder with a data set and a release key; lines are started on them. MORU_PROGRAMS is the test's CMake target's.
class SmallLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-line");
    ASSERT_TRUE(folder) << folder.error().message;
    folder_.emplace(std::move(*folder));
    write_stripes(path("data"), 500);
    auto key = trust::SigningKey::generate();
    ASSERT_TRUE(key);
    key_.emplace(std::move(*key));
    ASSERT_TRUE(write_file_atomic(path("release.pub.pem"), key_->public_key().to_pem()));
  }

  Path path(const std::string& name) const { return folder_->path() / name; }

  /// A signed bundle of a model that names the class `shift` above the right one.
  std::string bundle(std::int64_t version, std::int64_t shift, const std::string& target = "any") const {
    const auto graph = stripe_model(shift);
    model::ModelCard card;
    card.name = "small";
    card.task = "image classification";
    card.inputs = {{"image", "float32", *graph.value(graph.inputs[0]).type.shape}};
    card.outputs = {{"probabilities", "float32", *graph.value(graph.outputs[0]).type.shape}};
    for (std::int64_t i = 0; i < kClasses; ++i) card.labels.push_back("class " + std::to_string(i));
    card.alert_threshold = 0.01;
    auto onnx = model::write_onnx(graph);
    EXPECT_TRUE(onnx) << onnx.error().message;
    forge::ReleaseFile file;
    file.target = target;
    file.bytes = *onnx;
    auto release = forge::make_release("small", version, "2026-01-01T00:00:00.000Z", card, {file}, *key_);
    EXPECT_TRUE(release) << release.error().message;
    return release ? release->bytes : std::string();
  }

  std::unique_ptr<factory::Line> start(int nodes = 1) const {
    factory::LineOptions options;
    options.home = path("line");
    options.programs = MORU_PROGRAMS;
    options.dataset = path("data");
    options.release_key = path("release.pub.pem");
    options.nodes = nodes;
    auto line = factory::Line::start(options);
    EXPECT_TRUE(line) << line.error().message;
    return line ? std::move(*line) : nullptr;
  }

  std::optional<TempFolder> folder_;
  std::optional<trust::SigningKey> key_;
};

}  // namespace moru::testing
