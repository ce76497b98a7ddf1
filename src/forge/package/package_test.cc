// SPDX-License-Identifier: Apache-2.0
#include "forge/package/package.h"

#include <gmock/gmock.h>

#include "forge/data/synthetic_for_test.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"

namespace moru::forge {
namespace {

using testing::HasSubstr;

model::Graph classifier() {
  auto graph = model::parse_text(R"(graph "c" {
    opset 13
    input image: float32[N, 1, 28, 28]
    f: float32[N, 1, 1, 1] = GlobalAveragePool(image)
    g: float32[N, 1] = Flatten(f)
    init w = float32[2, 1] {1, -1}
    l: float32[N, 2] = Gemm(g, w) {transB = 1}
    probabilities: float32[N, 2] = Softmax(l) {axis = 1}
    output probabilities
  })");
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return std::move(*graph);
}

class Packaging : public testing::Test {
 protected:
  void SetUp() override {
    auto key = trust::SigningKey::generate();
    ASSERT_TRUE(key.has_value());
    key_.emplace(std::move(*key));
    auto bytes = model::write_onnx(graph_);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
    onnx_ = *bytes;
    card_ = classifier_card("line", graph_, synthetic_dataset_for_test(5, 5, 2));
  }
  model::Graph graph_ = classifier();
  std::string onnx_;
  model::ModelCard card_;
  std::optional<trust::SigningKey> key_;
};

TEST_F(Packaging, ReleaseOpensWithItsKeyAndHoldsModelAndCard) {
  Comparison comparison;
  comparison.compressed.top1 = 0.91;
  add_figures(comparison, &card_);
  ThresholdReport report;
  report.threshold = 0.03;
  report.test.detected = 0.9;
  add_figures(report, &card_);
  const auto release = make_release("line", 3, "2026-01-02T03:04:05Z", card_, {{.bytes = onnx_}}, *key_);
  ASSERT_TRUE(release.has_value()) << release.error().message;
  const trust::PublicKey key = key_->public_key();
  const auto verify = [&](std::string_view message, std::string_view signature) { return key.verify(message, signature); };
  const auto bundle = model::Bundle::open(release->bytes, verify, "line.moru");
  ASSERT_TRUE(bundle.has_value()) << bundle.error().message;
  EXPECT_EQ(bundle->header().version, 3);
  EXPECT_EQ(bundle->digest(), release->digest);
  EXPECT_EQ(bundle->contents(0), onnx_);
  const auto card = model::read_card(bundle->header().card, "card");
  ASSERT_TRUE(card.has_value()) << card.error().message;
  EXPECT_EQ(card->alert_threshold, 0.03);
  EXPECT_EQ(card->labels.size(), 2U);
  EXPECT_EQ(card->inputs.at(0).name, "image");
  EXPECT_THAT(card->figures, testing::Contains(testing::Pair("top1_int8", 0.91)));
  EXPECT_THAT(card->figures, testing::Contains(testing::Pair("detected_test", 0.9)));
}

TEST_F(Packaging, ForeignKeyDoesNotOpenIt) {
  const auto release = make_release("line", 1, "2026-01-02T03:04:05Z", card_, {{.bytes = onnx_}}, *key_);
  ASSERT_TRUE(release.has_value());
  const auto other = trust::SigningKey::generate();
  ASSERT_TRUE(other.has_value());
  const trust::PublicKey key = other->public_key();
  const auto verify = [&](std::string_view message, std::string_view signature) { return key.verify(message, signature); };
  EXPECT_EQ(model::Bundle::open(release->bytes, verify, "line.moru").error().code, ErrorCode::kCorrupt);
}

TEST_F(Packaging, BadInputIsNamed) {
  const auto error = [&](std::string_view name, std::int64_t version, std::string bytes) {
    const auto release = make_release(name, version, "now", card_, {{.bytes = std::move(bytes)}}, *key_);
    EXPECT_FALSE(release.has_value());
    return release ? std::string() : release.error().message;
  };
  EXPECT_THAT(error("line", 0, onnx_), HasSubstr("version"));
  EXPECT_THAT(error("", 1, onnx_), HasSubstr("a name"));
  EXPECT_THAT(error("line", 1, "not a model"), HasSubstr("model.onnx"));
  card_.inputs[0].name = "picture";
  EXPECT_THAT(error("line", 1, onnx_), HasSubstr("inputs are not those of the card"));
}

}  // namespace
}  // namespace moru::forge
