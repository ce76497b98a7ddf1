// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/candidate.h"

#include <gmock/gmock.h>

#include <fstream>

#include "core/digest.h"
#include "edge/agent/fake_model_for_test.h"
#include "edge/agent/home.h"
#include "edge/streams/inference/model_file.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "runtime/backends/native/session.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;

class CandidateTest : public ::testing::Test {
 protected:
  BundlePolicy policy() const { return {.verify = make_verifier({key_.public_key()}), .targets = model::machine_targets()}; }
  Result<std::unique_ptr<CheckedBundle>> open(const std::string& bytes, const ExpectedBundle& expected) {
    std::ofstream(folder_.path() / "bundle.moru", std::ios::binary | std::ios::trunc) << bytes;
    return CheckedBundle::open(folder_.path() / "bundle.moru", expected, policy());
  }
  Result<std::unique_ptr<CheckedBundle>> open(const std::string& bytes, std::int64_t release = 2) {
    return open(bytes, {.release = release, .size = bytes.size(), .sha256 = sha256_hex(bytes)});
  }
  static SessionLoader loader() {
    return [](std::string_view bytes) -> Result<std::unique_ptr<runtime::Session>> {
      if (bytes == "garbage") return fail(ErrorCode::kCorrupt, "fake: not a model");
      return std::make_unique<FakeSession>(std::string(bytes));
    };
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-candidate"));
  trust::SigningKey key_ = std::move(*trust::SigningKey::generate());
};

TEST_F(CandidateTest, AGoodBundleOpensLoadsAndWarmsUp) {
  const auto bundle = open(fake_bundle(2, "good", key_));
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_EQ((*bundle)->release(), 2);
  EXPECT_EQ((*bundle)->model_bytes(), "good");
  const auto model = load_candidate(**bundle, loader());
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->release, 2);
  EXPECT_TRUE(warm_up(**model, 3));
}

TEST_F(CandidateTest, EveryFlippedByteIsRefusedBeforeAnythingIsHandedOut) {
  const std::string bytes = fake_bundle(2, "good" + std::string(20'000, 'x'), key_);
  const std::size_t header_end = bytes.size() - 20'004;
  for (std::size_t at = 0; at < bytes.size(); at += at < header_end ? 1 : 4096) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x40);
    // As if the hub itself had taken the damaged bytes: its digest fits them, the signature does not.
    const auto result = open(flipped);
    ASSERT_FALSE(result) << "byte " << at;
    EXPECT_NE(result.error().code, ErrorCode::kInternal) << result.error().message;
    const auto damaged = open(flipped, {.release = 2, .size = bytes.size(), .sha256 = sha256_hex(bytes)});
    ASSERT_FALSE(damaged);
    EXPECT_THAT(damaged.error().message, HasSubstr("SHA-256"));
  }
}

TEST_F(CandidateTest, ABundleThatWasCutShortIsRefused) {
  const std::string bytes = fake_bundle(2, "good", key_);
  for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{100}, bytes.size() - 1}) {
    EXPECT_FALSE(open(bytes.substr(0, size)));
  }
}

TEST_F(CandidateTest, RefusesAnotherKeyReleaseTargetOrDigest) {
  const auto stranger = trust::SigningKey::generate();
  EXPECT_EQ(open(fake_bundle(2, "good", *stranger)).error().code, ErrorCode::kCorrupt);
  const auto release = open(fake_bundle(3, "good", key_), 2);
  ASSERT_FALSE(release);
  EXPECT_THAT(release.error().message, HasSubstr("found release 3 inside, expected 2"));
  const auto target = open(fake_bundle(2, "good", key_, "mips"));
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(target.error().message, HasSubstr("mips"));
  const std::string bytes = fake_bundle(2, "good", key_);
  EXPECT_FALSE(open(bytes, {.release = 2, .size = bytes.size() + 1, .sha256 = sha256_hex(bytes)}));
  EXPECT_FALSE(open(bytes, {.release = 2, .size = bytes.size(), .sha256 = std::string(64, '0')}));
}

TEST_F(CandidateTest, TheModelMustBeWhatTheCardSays) {
  const auto with_card = [&](auto&& change) {
    model::ModelCard card = fake_card();
    change(card);
    const auto bundle = open(fake_bundle(2, "good", key_, "any", card));
    EXPECT_TRUE(bundle) << bundle.error().message;
    return load_candidate(**bundle, loader());
  };
  EXPECT_TRUE(with_card([](model::ModelCard&) {}));
  EXPECT_TRUE(with_card([](model::ModelCard& card) { card.inputs[0].shape[0] = model::Dim{.value = -1, .symbol = "N"}; }));
  for (const auto& result :
       {with_card([](model::ModelCard& card) { card.inputs[0].name = "y"; }),
        with_card([](model::ModelCard& card) { card.inputs[0].dtype = "uint8"; }),
        with_card([](model::ModelCard& card) { card.inputs[0].shape[1].value = 5; }),
        with_card([](model::ModelCard& card) { card.outputs[0].shape.push_back(model::Dim{.value = 1, .symbol = {}}); })}) {
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message, HasSubstr("as the model card says"));
  }
}

TEST_F(CandidateTest, WarmUpRefusesWhatIsNoProbability) {
  const auto warm = [&](const std::string& behaviour, const std::string& activation = "none") {
    const LoadedModel model{.release = 1,
                            .card =
                                [&] {
                                  auto card = fake_card();
                                  card.activation = activation;
                                  return card;
                                }(),
                            .session = std::make_unique<FakeSession>(behaviour)};
    return warm_up(model, 3);
  };
  EXPECT_TRUE(warm("good"));
  EXPECT_TRUE(warm("unsure", "softmax")) << "logits need not sum to 1";
  EXPECT_THAT(warm("unsure").error().message, HasSubstr("sum to 0.600, expected 1"));
  EXPECT_THAT(warm("nan").error().message, HasSubstr("expected finite values"));
  EXPECT_THAT(warm("nan", "softmax").error().message, HasSubstr("expected finite values"));
  EXPECT_THAT(warm("broken").error().message, HasSubstr("warm-up: fake: broken"));
}

std::string onnx_of(std::string_view text) { return model::write_onnx(model::parse_text(text).value()).value(); }

TEST(LoadOnNode, TheNativeEngineIsFirst) {
  const auto session = load_on_node(onnx_of(R"(graph "g" { opset 13 input x: float32[N, 2] y: float32[N, 2] = Relu(x) output y })"));
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_NE(dynamic_cast<runtime::native::NativeModel*>(session->get()), nullptr);
}

TEST(LoadOnNode, AnOpThatItDoesNotHaveGoesToOnnxRuntime) {
  const auto session = load_on_node(onnx_of(R"(graph "g" { opset 13 input x: float32[2, 2] y: float32[] = Det(x) output y })"));
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(dynamic_cast<runtime::native::NativeModel*>(session->get()), nullptr);
  EXPECT_FALSE(load_on_node("garbage"));
}

}  // namespace
}  // namespace moru::edge
