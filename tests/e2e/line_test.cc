// SPDX-License-Identifier: Apache-2.0
// Hub and nodes as processes, with a small seeded model: what happens when things are killed in the middle.
#include "solutions/factory/line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>

#include "core/random.h"
#include "forge/package/package.h"
#include "model/formats/onnx/onnx.h"
#include "tests/support/program.h"
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
  const auto image =
      graph.add_value("image", {model::DType::kFloat32, model::SymbolicShape{Dim{-1, "N"}, Dim{1, ""}, Dim{kSide, ""}, Dim{kSide, ""}}});
  graph.inputs = {image};
  Rng rng(seed);
  std::vector<float> weights(kSide * kSide * kClasses);
  for (auto& weight : weights) weight = static_cast<float>(rng.normal() * 0.05);
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

/// `count` random images and labels, as the two IDX files of a test part.
void write_dataset(const Path& folder, std::uint32_t count) {
  ASSERT_TRUE(make_folders(folder));
  const auto big_endian = [](std::uint32_t value) {
    return std::string{static_cast<char>(value >> 24U), static_cast<char>(value >> 16U), static_cast<char>(value >> 8U),
                       static_cast<char>(value)};
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

class LineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-line");
    ASSERT_TRUE(folder) << folder.error().message;
    folder_.emplace(std::move(*folder));
    write_dataset(path("data"), 500);
    auto key = trust::SigningKey::generate();
    ASSERT_TRUE(key);
    key_.emplace(std::move(*key));
    ASSERT_TRUE(write_file_atomic(path("release.pub.pem"), key_->public_key().to_pem()));
  }

  Path path(const std::string& name) const { return folder_->path() / name; }

  /// A signed bundle of a small model.
  std::string bundle(std::int64_t version, std::uint64_t seed, const std::string& target = "any") const {
    const auto graph = small_model(seed);
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

  std::unique_ptr<Line> start(int nodes = 1) const {
    LineOptions options;
    options.home = path("line");
    options.programs = MORU_PROGRAMS;
    options.dataset = path("data");
    options.release_key = path("release.pub.pem");
    options.nodes = nodes;
    auto line = Line::start(options);
    EXPECT_TRUE(line) << line.error().message;
    return line ? std::move(*line) : nullptr;
  }

  static void install(Line& line, const std::string& bytes, std::int64_t version) {
    ASSERT_TRUE(line.push_release(bytes));
    const auto result = line.roll_out(version, Json::object());
    ASSERT_TRUE(result) << result.error().message;
    ASSERT_EQ(result->state, "succeeded") << result->reason;
  }

  /// Waits until the first node has emitted `items`.
  static void wait_for_items(const Line& line, std::uint64_t items) {
    for (int i = 0; i < 600; ++i) {
      const auto states = line.node_states();
      ASSERT_TRUE(states) << states.error().message;
      if (!states->empty() && states->front().items >= items) return;
      wait_for_stop(50 * kMillisecond);
    }
    FAIL() << "the source did not emit " << items << " items within 30 s";
  }

  /// Each sequence number from 1 to the last is stored once, and every link's ledger adds up.
  static void expect_nothing_lost(const Line& line, std::uint64_t items) {
    const auto records = line.records();
    ASSERT_TRUE(records) << records.error().message;
    std::multiset<std::uint64_t> sequences;
    for (const auto& record : *records) sequences.insert(json_or<std::uint64_t>(record["body"], "seq", 0));
    EXPECT_EQ(sequences.size(), items);
    EXPECT_EQ(std::set<std::uint64_t>(sequences.begin(), sequences.end()).size(), items);
    const auto states = line.node_states();
    ASSERT_TRUE(states);
    for (const auto& state : *states) {
      EXPECT_EQ(state.missed, 0U);
      for (const auto& link : state.ledger) {
        EXPECT_TRUE(link.balanced()) << state.node << " " << link.link;
        EXPECT_EQ(link.dropped_total(), 0U) << state.node << " " << link.link;
      }
    }
  }

  std::optional<TempFolder> folder_;
  std::optional<trust::SigningKey> key_;
};

TEST_F(LineTest, BrokerKilledInTheMiddleLosesNothing) {
  auto line = start();
  ASSERT_NE(line, nullptr);
  install(*line, bundle(1, 1), 1);
  wait_for_items(*line, 200);
  ASSERT_EQ(::kill(line->broker_pid(), SIGKILL), 0);
  wait_for_items(*line, 600);
  const auto drained = line->drain(1000, 60 * kSecond);
  ASSERT_TRUE(drained) << drained.error().message;
  expect_nothing_lost(*line, 1000);
}

TEST_F(LineTest, BundleForAnotherTargetIsRefused) {
  auto line = start();
  ASSERT_NE(line, nullptr);
  ASSERT_TRUE(line->push_release(bundle(1, 1, "cortex-m")));
  const auto result = line->roll_out(1, Json::object());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->state, "failed");
  EXPECT_TRUE(result->refused);
  EXPECT_THAT(result->reason, ::testing::HasSubstr("cortex-m"));
}

TEST_F(LineTest, BundleSignedByAStrangerIsRefused) {
  auto line = start();
  ASSERT_NE(line, nullptr);
  auto stranger = trust::SigningKey::generate();
  ASSERT_TRUE(stranger);
  key_.emplace(std::move(*stranger));
  ASSERT_TRUE(line->push_release(bundle(1, 1)));
  const auto result = line->roll_out(1, Json::object());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->state, "failed");
  EXPECT_TRUE(result->refused);
  EXPECT_THAT(result->reason, ::testing::HasSubstr("signature"));
}

TEST_F(LineTest, JoinTokenWorksOnce) {
  auto line = start(0);
  ASSERT_NE(line, nullptr);
  const auto answer = line->hub().post("/v1/tokens", {{"valid_seconds", 600}});
  ASSERT_TRUE(answer) << answer.error().message;
  const auto token = json_or<std::string>(*answer, "token", "");
  const auto first = moru::testing::run_program("moru-agent", {"join", "--name", "a", "--home", path("a").string(), "--token", token});
  EXPECT_EQ(first.code, 0) << first.output;
  const auto second = moru::testing::run_program("moru-agent", {"join", "--name", "b", "--home", path("b").string(), "--token", token});
  EXPECT_EQ(second.code, 2) << second.output;
  EXPECT_THAT(second.output, ::testing::HasSubstr("used"));
  EXPECT_EQ(second.output.find(token), std::string::npos) << "a secret in a message";
}

TEST_F(LineTest, ExpiredJoinTokenIsRefused) {
  auto line = start(0);
  ASSERT_NE(line, nullptr);
  const auto answer = line->hub().post("/v1/tokens", {{"valid_seconds", 1}});
  ASSERT_TRUE(answer) << answer.error().message;
  wait_for_stop(1100 * kMillisecond);
  const auto run = moru::testing::run_program(
      "moru-agent", {"join", "--name", "a", "--home", path("a").string(), "--token", json_or<std::string>(*answer, "token", "")});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_THAT(run.output, ::testing::HasSubstr("expired"));
}

TEST_F(LineTest, NodeKilledInTheMiddleLosesNothingThatWasTaken) {
  auto line = start();
  ASSERT_NE(line, nullptr);
  install(*line, bundle(1, 1), 1);
  wait_for_items(*line, 200);
  line->agents()[0].send_signal(SIGKILL);
  ASSERT_TRUE(line->agents()[0].wait_for(5 * kSecond));
  ASSERT_TRUE(line->restart_agent(0));
  const auto drained = line->drain(600, 60 * kSecond);
  ASSERT_TRUE(drained) << drained.error().message;
  const auto states = line->node_states();
  ASSERT_TRUE(states);
  for (const auto& link : states->front().ledger) EXPECT_TRUE(link.balanced()) << link.link;
  EXPECT_EQ(states->front().release, 1) << "the node came back with the release it had";
}

}  // namespace
}  // namespace moru::factory
