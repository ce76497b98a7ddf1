// SPDX-License-Identifier: Apache-2.0
// Bundles that are real and signed, around models that are not: a model file is the name of a behaviour.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "edge/agent/candidate.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/bundle/model_card.h"
#include "runtime/backends/backend.h"
#include "trust/keys.h"

namespace moru::edge {

/// x: float32 [1, 4] -> p: float32 [1, 3]. "good", "nan" (not finite), "unsure" (sums to 0.6), "broken" (run fails).
class FakeSession final : public runtime::Session {
 public:
  explicit FakeSession(std::string behaviour) : behaviour_(std::move(behaviour)) {
    inputs_.push_back({.name = "x",
                       .dtype = model::DType::kFloat32,
                       .shape = {model::Dim{.value = 1, .symbol = {}}, model::Dim{.value = 4, .symbol = {}}}});
    outputs_.push_back({.name = "p",
                        .dtype = model::DType::kFloat32,
                        .shape = {model::Dim{.value = 1, .symbol = {}}, model::Dim{.value = 3, .symbol = {}}}});
  }
  std::span<const runtime::Port> inputs() const override { return inputs_; }
  std::span<const runtime::Port> outputs() const override { return outputs_; }
  Status run(std::span<const model::ConstTensorView>, std::span<const model::TensorView> outputs) override {
    if (behaviour_ == "broken") return fail(ErrorCode::kInternal, "fake: broken");
    const float value = behaviour_ == "nan" ? std::nanf("") : behaviour_ == "unsure" ? 0.2F : 1.0F / 3.0F;
    auto* data = reinterpret_cast<float*>(outputs[0].bytes.data());
    for (int i = 0; i < 3; ++i) data[i] = value;
    return {};
  }

 private:
  std::string behaviour_;
  std::vector<runtime::Port> inputs_;
  std::vector<runtime::Port> outputs_;
};

inline model::ModelCard fake_card() {
  model::ModelCard card;
  card.name = "fake";
  card.task = "image classification";
  card.inputs.push_back(
      {.name = "x", .dtype = "float32", .shape = {model::Dim{.value = 1, .symbol = {}}, model::Dim{.value = 4, .symbol = {}}}});
  card.outputs.push_back(
      {.name = "p", .dtype = "float32", .shape = {model::Dim{.value = 1, .symbol = {}}, model::Dim{.value = 3, .symbol = {}}}});
  card.labels = {"a", "b", "c"};
  return card;
}

inline std::string fake_bundle(std::int64_t release, const std::string& behaviour, const trust::SigningKey& key,
                               const std::string& target = "any", const model::ModelCard& card = fake_card()) {
  model::BundleHeader header;
  header.name = "fake";
  header.version = release;
  header.created = "2026-11-23T00:00:00.000Z";
  header.card = model::write_card(card);
  header.files.push_back({.name = "model.onnx", .target = target, .format = "onnx", .sha256 = {}, .size = 0});
  auto bytes = model::write_bundle(std::move(header), {behaviour}, [&](std::string_view message) { return key.sign(message); });
  EXPECT_TRUE(bytes) << bytes.error().message;
  return bytes.value_or("");
}

}  // namespace moru::edge
