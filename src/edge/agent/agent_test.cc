// SPDX-License-Identifier: Apache-2.0
// The whole agent in one process: a real broker, a real TLS server, a real model in ONNX Runtime, real files. The hub's
// part is played by the test.
#include "edge/agent/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include "core/digest.h"
#include "core/json.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/bundle/model_card.h"
#include "model/formats/onnx/onnx.h"
#include "trust/certificates.h"
#include "wire/messages.h"
#include "wire/mqtt.h"
#include "wire/testing/broker.h"
#include "wire/testing/tls_server.h"

namespace moru::edge {
namespace {

using wire::DeploymentPhase;
using wire::testing::TestBroker;
using wire::testing::TestRequest;
using wire::testing::TestResponse;
using wire::testing::TlsServer;

constexpr std::string_view kStream = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: line
spec:
  stages:
    - name: camera
      stage: idx_replay
      options: {folder: ${data}, part: test, rate_hz: 400}
    - name: tensor
      stage: image_to_tensor
      inputs: [camera]
      options: {model: line}
    - name: infer
      stage: infer
      inputs: [tensor]
      options: {model: line, reference: order}
    - name: hub
      stage: hub
      inputs: [infer]
)";

/// x [1, 1, 2, 2] -> p [1, 3]: names the brightest of the first three pixels; with `confused`, the wrong one.
std::string make_model(bool confused) {
  using model::Tensor;
  model::Graph graph;
  const auto fixed = [](std::initializer_list<std::int64_t> extents) {
    model::SymbolicShape shape;
    for (const std::int64_t extent : extents) shape.push_back({.value = extent, .symbol = {}});
    return shape;
  };
  const auto x = graph.add_value("x", {.dtype = model::DType::kFloat32, .shape = fixed({1, 1, 2, 2})});
  std::vector<float> weights(12, 0.0F);
  for (std::size_t i = 0; i < 3; ++i) weights[i * 3 + (confused ? (i + 1) % 3 : i)] = 8.0F;
  const auto w = graph.add_initializer("w", Tensor::of<float>({4, 3}, std::span<const float>(weights)));
  const auto flat = graph.add_value("flat", {.dtype = model::DType::kFloat32, .shape = fixed({1, 4})});
  const auto logits = graph.add_value("logits", {.dtype = model::DType::kFloat32, .shape = fixed({1, 3})});
  const auto p = graph.add_value("p", {.dtype = model::DType::kFloat32, .shape = fixed({1, 3})});
  graph.inputs = {x};
  graph.outputs = {p};
  graph.nodes().push_back({.name = "flatten", .op = "Flatten", .domain = "", .inputs = {x}, .outputs = {flat}, .attributes = {}});
  graph.nodes().push_back({.name = "matmul", .op = "MatMul", .domain = "", .inputs = {flat, w}, .outputs = {logits}, .attributes = {}});
  graph.nodes().push_back({.name = "softmax", .op = "Softmax", .domain = "", .inputs = {logits}, .outputs = {p}, .attributes = {}});
  auto bytes = model::write_onnx(graph);
  EXPECT_TRUE(bytes) << bytes.error().message;
  return bytes.value_or("");
}

std::string make_bundle(std::int64_t release, bool confused, const trust::SigningKey& key) {
  model::ModelCard card;
  card.name = "line";
  card.task = "image classification";
  const auto dim = [](std::int64_t value) { return model::Dim{.value = value, .symbol = {}}; };
  card.inputs = {{.name = "x", .dtype = "float32", .shape = {dim(1), dim(1), dim(2), dim(2)}}};
  card.outputs = {{.name = "p", .dtype = "float32", .shape = {dim(1), dim(3)}}};
  card.labels = {"a", "b", "c"};
  model::BundleHeader header;
  header.name = "line";
  header.version = release;
  header.created = "2026-11-23T00:00:00.000Z";
  header.card = model::write_card(card);
  header.files = {{.name = "model.onnx", .target = "any", .format = "onnx", .sha256 = {}, .size = 0}};
  auto bytes = model::write_bundle(std::move(header), {make_model(confused)}, [&](std::string_view message) { return key.sign(message); });
  EXPECT_TRUE(bytes) << bytes.error().message;
  return bytes.value_or("");
}

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24U), static_cast<char>(value >> 16U), static_cast<char>(value >> 8U), static_cast<char>(value)};
}

/// 30 images of 2 x 2: pixel `label` is bright.
void write_dataset(const Path& folder) {
  constexpr std::uint32_t kCount = 30;
  std::string images = std::string("\0\0\x08\x03", 4) + big_endian(kCount) + big_endian(2) + big_endian(2);
  std::string labels = std::string("\0\0\x08\x01", 4) + big_endian(kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    std::string image(4, '\0');
    image[i % 3] = static_cast<char>(255);
    images += image;
    labels += static_cast<char>(i % 3);
  }
  ASSERT_TRUE(make_folders(folder));
  ASSERT_TRUE(write_file_atomic(folder / "t10k-images-idx3-ubyte", images));
  ASSERT_TRUE(write_file_atomic(folder / "t10k-labels-idx1-ubyte", labels));
}

class AgentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto ca = trust::CertificateAuthority::load_or_create(path("ca"));
    ASSERT_TRUE(ca) << ca.error().message;
    const auto server = ca->issue_server("hub", {"127.0.0.1"});
    write(path("server.pem"), server->certificate_pem);
    write(path("server-key.pem"), server->key_pem);
    issue(*ca, "hub", path("hub.pem"), path("hub-key.pem"));
    ASSERT_TRUE(make_folders(paths_.home));
    issue(*ca, "node-1", paths_.certificate(), paths_.key());
    write(paths_.ca(), ca->certificate_pem());
    auto broker = TestBroker::start({.folder = folder_.path(),
                                     .ca_file = path("ca/ca.pem"),
                                     .certificate_file = path("server.pem"),
                                     .key_file = path("server-key.pem")});
    ASSERT_TRUE(broker) << broker.error().message;
    broker_.emplace(std::move(*broker));
    auto artefacts =
        TlsServer::start({.certificate_pem = server->certificate_pem, .key_pem = server->key_pem, .client_ca_pem = ca->certificate_pem()},
                         [this](const TestRequest& request) { return serve(request); });
    ASSERT_TRUE(artefacts) << artefacts.error().message;
    artefacts_ = std::move(*artefacts);
    ASSERT_TRUE(write_identity(paths_, {.node = "node-1",
                                        .hub_url = artefacts_->url(),
                                        .mqtt_host = "127.0.0.1",
                                        .mqtt_port = broker_->port(),
                                        .release_keys = {key_.public_key()}}));
    write_dataset(path("data"));
    write(path("line.yaml"), std::string(kStream));
    start_hub();
  }
  void TearDown() override {
    agent_.reset();
    std::unique_ptr<wire::MqttClient> hub;
    {
      const std::lock_guard lock(mutex_);
      hub = std::move(hub_);
    }
  }

  Path path(const std::string& name) const { return folder_.path() / name; }
  static void write(const Path& path, const std::string& text) { ASSERT_TRUE(write_file_atomic(path, text, 0600)); }
  static void issue(const trust::CertificateAuthority& ca, const std::string& name, const Path& certificate, const Path& key) {
    const auto request = trust::make_request(name);
    write(certificate, *ca.issue_client(request->request_pem, name));
    write(key, request->key_pem);
  }

  TestResponse serve(const TestRequest& request) {
    const std::lock_guard lock(mutex_);
    const auto it = bundles_.find(request.path);
    if (request.client_name != "node-1" || it == bundles_.end())
      return {.status = 404, .body = R"({"error":"no such release"})", .content_range = {}};
    return wire::testing::serve_bytes(request, it->second);
  }

  void start_hub() {
    wire::MqttOptions options;
    options.port = broker_->port();
    options.client_id = std::string("hub");
    options.ca_file = path("ca/ca.pem");
    options.certificate_file = path("hub.pem");
    options.key_file = path("hub-key.pem");
    options.subscriptions = {"moru/v1/nodes/+/state", "moru/v1/nodes/+/records", "moru/v1/nodes/+/online"};
    options.on_message = [this](std::string_view topic, std::string_view payload) { on_message(topic, payload); };
    options.on_connection = [this](bool up, std::string_view) {
      const std::lock_guard lock(mutex_);
      hub_connected_ = up;
      changed_.notify_all();
    };
    auto hub = wire::MqttClient::start(std::move(options));
    ASSERT_TRUE(hub) << hub.error().message;
    {
      const std::lock_guard lock(mutex_);
      hub_ = std::move(*hub);
    }
    ASSERT_TRUE(until([this] { return hub_connected_; })) << broker_->log();
  }

  void on_message(std::string_view topic, std::string_view payload) {
    const std::lock_guard lock(mutex_);
    const auto parsed = wire::parse_node_topic(topic);
    if (!parsed || parsed->node != "node-1") return;
    if (parsed->kind == "online") online_ = std::string(payload);
    if (parsed->kind == "state") {
      auto state = wire::read_node_state(payload);
      if (!state) ADD_FAILURE() << state.error().message;
      if (state) state_ = std::move(*state);
    }
    if (parsed->kind == "records") {
      const auto batch = wire::read_record_batch(payload);
      if (!batch) ADD_FAILURE() << batch.error().message;
      if (batch) take(*batch);
    }
    changed_.notify_all();
  }

  /// As the hub: stored first, then answered.
  void take(const wire::RecordBatch& batch) {
    for (const wire::Record& record : batch.records) {
      if (record.sequence == stored_ + 1) {
        ++stored_;
        const auto body = parse_json(record.body, "record");
        by_release_[body->value("release", std::int64_t{0})] += 1;
        seen_items_.push_back(body->value("seq", std::uint64_t{0}));
      }
    }
    if (hub_)
      static_cast<void>(
          hub_->publish(wire::node_topic("node-1", "ack"), wire::write(wire::Ack{.stream = "line", .sequence = stored_}), 0, false));
  }

  void start_agent() {
    auto agent = Agent::start(
        {.home = paths_.home, .stream_file = path("line.yaml"), .parameters = {{"data", path("data").string()}}, .version = "test"});
    ASSERT_TRUE(agent) << agent.error().message;
    agent_ = std::move(*agent);
  }

  /// Ticks the agent until the condition (asked with the lock held) is true; false after 30 s.
  template <class Condition>
  bool until(Condition&& condition) {
    const TimeNs deadline = system_clock().steady_now() + 30 * kSecond;
    while (system_clock().steady_now() < deadline) {
      if (agent_) agent_->tick();
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, std::chrono::milliseconds(20), condition)) return true;
    }
    return false;
  }

  void add_release(std::int64_t release, bool confused) {
    const std::lock_guard lock(mutex_);
    bundles_[fmt::format("/v1/releases/{}/bundle", release)] = make_bundle(release, confused, key_);
  }
  void want(const std::string& id, std::int64_t release, const std::string& action, std::optional<std::uint64_t> drain_at = std::nullopt) {
    wire::Desired desired;
    {
      const std::lock_guard lock(mutex_);
      const std::string url = fmt::format("/v1/releases/{}/bundle", release);
      const std::string& bytes = bundles_[url];
      desired.generation = ++generation_;
      desired.deployment = wire::DesiredDeployment{
          .id = id, .release = release, .url = url, .sha256 = sha256_hex(bytes), .size = bytes.size(), .action = action, .soak_items = 60};
      desired.drain_at = drain_at;
    }
    ASSERT_TRUE(hub_->publish(wire::node_topic("node-1", "desired"), wire::write(desired), 1, true));
  }
  bool reach(const std::string& id, DeploymentPhase phase) {
    return until([&] { return state_.deployment && state_.deployment->id == id && state_.deployment->phase == phase; });
  }
  void install(std::int64_t release) {
    add_release(release, false);
    const std::string id = fmt::format("r{}", release);
    want(id, release, "stage");
    ASSERT_TRUE(reach(id, DeploymentPhase::kShadowing)) << wire::write(state_);
    want(id, release, "commit");
    ASSERT_TRUE(reach(id, DeploymentPhase::kCommitted)) << wire::write(state_);
  }
  void expect_no_item_lost() {
    const std::lock_guard lock(mutex_);
    ASSERT_FALSE(seen_items_.empty());
    for (std::size_t i = 1; i < seen_items_.size(); ++i) ASSERT_EQ(seen_items_[i], seen_items_[i - 1] + 1);
    for (const auto& link : state_.ledger) EXPECT_TRUE(link.balanced()) << link.link;
    EXPECT_EQ(state_.missed, 0U);
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-agent"));
  HomePaths paths_{folder_.path() / "home"};
  trust::SigningKey key_ = std::move(*trust::SigningKey::generate());
  std::optional<TestBroker> broker_;
  std::unique_ptr<TlsServer> artefacts_;
  std::unique_ptr<wire::MqttClient> hub_;
  std::unique_ptr<Agent> agent_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool hub_connected_ = false;
  std::map<std::string, std::string> bundles_;
  std::string online_;
  wire::NodeState state_;
  std::int64_t generation_ = 0;
  std::uint64_t stored_ = 0;
  std::map<std::int64_t, std::uint64_t> by_release_;
  std::vector<std::uint64_t> seen_items_;
};

TEST_F(AgentTest, TakesAReleaseThenAnotherAndMissesNoItem) {
  start_agent();
  ASSERT_TRUE(until([this] { return online_ == "1" && state_.stream_state == "waiting for a release"; })) << wire::write(state_);
  ASSERT_NO_FATAL_FAILURE(install(1));
  ASSERT_TRUE(until([this] { return by_release_[1] > 100; }));

  add_release(2, false);
  want("r2", 2, "stage");
  ASSERT_TRUE(until([this] { return state_.deployment && state_.deployment->id == "r2" && state_.deployment->shadow.items > 50; }));
  {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(state_.deployment->shadow.errors, 0U);
    EXPECT_EQ(state_.deployment->shadow.both_right, state_.deployment->shadow.labelled);
    EXPECT_EQ(state_.release, 1);
  }
  want("r2", 2, "commit");
  ASSERT_TRUE(reach("r2", DeploymentPhase::kCommitted)) << wire::write(state_);
  std::uint64_t end = 0;
  {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(state_.release, 2);
    EXPECT_EQ(state_.generation, generation_);
    end = state_.items + 200;
  }
  want("r2", 2, "commit", end);
  ASSERT_TRUE(until([&] { return state_.stream_state == "finished" && stored_ == end; })) << wire::write(state_);
  EXPECT_GT(by_release_[2], 100U);
  ASSERT_TRUE(until([&] { return state_.ledger.back().out == end; })) << wire::write(state_);
  expect_no_item_lost();
}

TEST_F(AgentTest, AWorseModelThatWasCommittedComesBackByItself) {
  start_agent();
  ASSERT_NO_FATAL_FAILURE(install(1));
  ASSERT_TRUE(until([this] { return by_release_[1] > 100; }));
  add_release(2, true);
  want("r2", 2, "commit");
  ASSERT_TRUE(reach("r2", DeploymentPhase::kRolledBack)) << wire::write(state_);
  const std::lock_guard lock(mutex_);
  EXPECT_THAT(state_.deployment->reason, ::testing::HasSubstr("live items right"));
  EXPECT_EQ(state_.release, 1);
}

TEST_F(AgentTest, ABrokerThatIsKilledLosesNothing) {
  start_agent();
  ASSERT_NO_FATAL_FAILURE(install(1));
  ASSERT_TRUE(until([this] { return stored_ > 50; }));
  broker_->kill();
  ASSERT_TRUE(until([this] { return !hub_connected_; }));
  std::uint64_t before = 0;
  {
    const std::lock_guard lock(mutex_);
    before = stored_;
  }
  ASSERT_TRUE(broker_->restart());
  ASSERT_TRUE(until([&] { return stored_ > before + 300; })) << broker_->log();
  expect_no_item_lost();
}

TEST_F(AgentTest, ANodeRunsWithoutAHubAndSendsLater) {
  start_agent();
  ASSERT_NO_FATAL_FAILURE(install(1));
  agent_->stop();
  agent_.reset();
  ASSERT_TRUE(until([this] { return online_ == "0"; })) << "it said good-bye";
  broker_->kill();
  ASSERT_TRUE(until([this] { return !hub_connected_; }));

  start_agent();
  const auto stored_locally = [this]() -> std::uint64_t {
    const auto text = read_status(paths_);
    const auto json = text ? parse_json(*text, "status") : Result<Json>(fail(text.error()));
    return json ? (*json)["ledger"].back().value("stored", std::uint64_t{0}) : 0;
  };
  ASSERT_TRUE(until([&] { return stored_locally() > 200; })) << "the release came from disk, the records wait";
  ASSERT_TRUE(broker_->restart());
  std::uint64_t before = 0;
  {
    const std::lock_guard lock(mutex_);
    before = stored_;
  }
  ASSERT_TRUE(until([&] { return stored_ > before + 300; }));
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(state_.release, 1);
}

TEST_F(AgentTest, SaysWhatIsWrongBeforeItStarts) {
  const auto start = [this](const std::string& stream) {
    write(path("bad.yaml"), stream);
    return Agent::start({.home = paths_.home, .stream_file = path("bad.yaml"), .parameters = {}, .version = "test"});
  };
  EXPECT_THAT(start("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {name: line}\nspec: {stagse: []}\n").error().message,
              ::testing::HasSubstr("bad.yaml:"));
  EXPECT_FALSE(start(std::string(kStream))) << "a parameter without a value";
  EXPECT_FALSE(start(""));
  EXPECT_EQ(Agent::start({.home = path("nobody"), .stream_file = path("line.yaml"), .parameters = {}, .version = "test"}).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(Agent::start({.home = paths_.home, .stream_file = path("none.yaml"), .parameters = {}, .version = "test"}).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(read_status(paths_).error().code, ErrorCode::kNotFound);
  start_agent();
  const auto second = Agent::start(
      {.home = paths_.home, .stream_file = path("line.yaml"), .parameters = {{"data", path("data").string()}}, .version = "test"});
  ASSERT_FALSE(second) << "two agents on one home";
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace moru::edge
