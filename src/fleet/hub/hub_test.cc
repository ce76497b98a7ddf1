// SPDX-License-Identifier: Apache-2.0
// The whole hub in this process, spoken to over its real sockets, with nodes that follow the protocol.
#include "fleet/hub/hub.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>

#include "core/json.h"
#include "model/formats/bundle/bundle.h"
#include "trust/certificates.h"
#include "trust/join_token.h"
#include "trust/keys.h"
#include "wire/http.h"
#include "wire/messages.h"
#include "wire/mqtt.h"

namespace moru::fleet {
namespace {

using ::testing::HasSubstr;
using wire::DeploymentPhase;

constexpr TimeNs kPatience = 20 * kSecond;

/// A node as the hub sees one: joins, reports, obeys.
class TestNode {
 public:
  TestNode(std::string name, Path folder) : name_(std::move(name)), folder_(std::move(folder)) {}

  Result<wire::HttpResponse> join(const std::string& url, const Path& ca, const std::string& token_text) {
    MORU_ASSIGN_OR_RETURN(const auto token, trust::read_token(token_text));
    MORU_ASSIGN_OR_RETURN(const auto made, trust::make_request(name_));
    const Json body = {{"token_id", token.id}, {"secret", token.secret}, {"name", name_}, {"request", made.request_pem}};
    wire::HttpOptions options;
    options.ca_file = ca;
    ca_ = ca;
    MORU_ASSIGN_OR_RETURN(auto response, wire::http_post(url + "/v1/join", body.dump(), options));
    if (response.status != 200) return response;
    MORU_ASSIGN_OR_RETURN(answer_, parse_json(response.body, "join"));
    MORU_RETURN_IF_ERROR(write_file_atomic(folder_ / (name_ + ".pem"), answer_["certificate"].get<std::string>()));
    MORU_RETURN_IF_ERROR(write_file_atomic(folder_ / (name_ + "-key.pem"), made.key_pem, 0600));
    return response;
  }
  const Json& answer() const { return answer_; }
  wire::HttpOptions http() const {
    wire::HttpOptions options;
    options.ca_file = ca_;
    options.certificate_file = folder_ / (name_ + ".pem");
    options.key_file = folder_ / (name_ + "-key.pem");
    return options;
  }
  Status connect() {
    wire::MqttOptions options;
    options.port = answer_["mqtt_port"].get<int>();
    options.client_id = name_;
    options.ca_file = ca_;
    options.certificate_file = http().certificate_file;
    options.key_file = http().key_file;
    options.will_topic = wire::node_topic(name_, "online");
    options.will_payload = "0";
    options.subscriptions = {wire::node_topic(name_, "desired"), wire::node_topic(name_, "ack")};
    options.on_message = [this](std::string_view topic, std::string_view payload) { take(topic, payload); };
    options.on_connection = [this](bool connected, std::string_view) {
      const std::lock_guard lock(mutex_);
      connected_ = connected;
      wake_.notify_all();
    };
    MORU_ASSIGN_OR_RETURN(mqtt_, wire::MqttClient::start(std::move(options)));
    if (!wait([this] { return connected_; })) return fail(ErrorCode::kDeadlineExceeded, "test node: no connection");
    return mqtt_->publish(wire::node_topic(name_, "online"), "1", 1, true);
  }
  /// As an agent does that is stopped.
  Status say_good_bye() { return mqtt_->publish(wire::node_topic(name_, "online"), "0", 1, true); }
  /// Sends again and again until the hub has acknowledged, as an outbox does.
  bool deliver(std::uint64_t first, std::uint64_t last, const std::string& kind = "result") {
    wire::RecordBatch batch;
    batch.stream = "line";
    for (std::uint64_t i = first; i <= last; ++i) batch.records.push_back({i, kind, Json{{"item", i}}.dump()});
    const std::string text = wire::write(batch);
    const TimeNs deadline = system_clock().steady_now() + kPatience;
    while (system_clock().steady_now() < deadline) {
      const Status sent = mqtt_->publish(wire::node_topic(name_, "records"), text, 1, false);
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, std::chrono::milliseconds(sent ? 500 : 50), [&] { return acknowledged_ >= last; })) return true;
    }
    return false;
  }
  /// Waits for a wish with this action and returns its deployment's id; empty: none came.
  std::string wait_action(const std::string& action) {
    const bool came = wait([&] { return desired_.deployment && desired_.deployment->action == action; });
    const std::lock_guard lock(mutex_);
    return came ? desired_.deployment->id : std::string();
  }
  bool wait_drain(std::uint64_t at) {
    return wait([&] { return desired_.drain_at == at; });
  }
  Status report(std::int64_t release, const std::string& id = {}, DeploymentPhase phase = DeploymentPhase::kFetching,
                wire::ShadowStats shadow = {}, const std::string& reason = {}) {
    wire::NodeState state;
    state.node = name_;
    state.time = system_clock().wall_now();
    state.release = release;
    state.items_per_second = 200;
    if (!id.empty()) state.deployment = wire::NodeState::DeploymentState{id, 2, phase, reason, shadow};
    return mqtt_->publish(wire::node_topic(name_, "state"), wire::write(state), 0, true);
  }

 private:
  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, std::chrono::nanoseconds(kPatience), condition);
  }
  void take(std::string_view topic, std::string_view payload) {
    const std::lock_guard lock(mutex_);
    if (topic.ends_with("/ack")) {
      if (const auto ack = wire::read_ack(payload)) acknowledged_ = std::max(acknowledged_, ack->sequence);
    } else if (auto desired = wire::read_desired(payload)) {
      desired_ = std::move(*desired);
    }
    wake_.notify_all();
  }

  std::string name_;
  Path folder_;
  Path ca_;
  Json answer_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool connected_ = false;
  std::uint64_t acknowledged_ = 0;
  wire::Desired desired_;
  std::unique_ptr<wire::MqttClient> mqtt_;
};

class HubTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-hub");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    start();
  }
  void start() {
    const Path key_file = folder_->path() / "release.pem";
    const auto key = trust::SigningKey::load_or_create(folder_->path() / "signing.pem");
    ASSERT_TRUE(key);
    ASSERT_TRUE(write_file_atomic(key_file, key->public_key().to_pem()));
    auto hub = Hub::start({.home = folder_->path() / "home", .port = 0, .mqtt_port = 0, .release_keys = {key_file}});
    ASSERT_TRUE(hub) << hub.error().message;
    hub_ = std::move(*hub);
    operator_.ca_file = hub_->ca_file();
    operator_.bearer = read_file(hub_->operator_token_file())->substr(0, 64);
    anyone_.ca_file = hub_->ca_file();
  }
  Json get(const std::string& path) {
    const auto body = wire::expect_success(wire::http_get(hub_->url() + path, operator_), path);
    EXPECT_TRUE(body) << body.error().message;
    return body ? parse_json(*body, path).value_or(Json()) : Json();
  }
  wire::HttpResponse post(const std::string& path, const std::string& body) {
    const auto response = wire::http_post(hub_->url() + path, body, operator_);
    EXPECT_TRUE(response) << response.error().message;
    return response.value_or(wire::HttpResponse{});
  }
  std::string token(const std::string& body = R"({"valid_seconds": 600})") {
    const auto answer = parse_json(post("/v1/tokens", body).body, "token");
    return answer && answer->contains("token") ? (*answer)["token"].get<std::string>() : "";
  }
  std::unique_ptr<TestNode> join(const std::string& name) {
    auto node = std::make_unique<TestNode>(name, folder_->path());
    const auto response = node->join(hub_->url(), hub_->ca_file(), token());
    EXPECT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 200) << response->body;
    const Status connected = node->connect();
    EXPECT_TRUE(connected) << connected.error().message;
    return node;
  }
  std::string bundle(std::int64_t version, const std::string& bytes) {
    model::BundleHeader header;
    header.name = "line";
    header.version = version;
    header.created = "2026-11-23T10:00:00Z";
    header.card = "{}";
    header.files.push_back({.name = "model.onnx", .target = "any", .format = "onnx", .sha256 = "", .size = 0});
    const auto key = trust::SigningKey::load(folder_->path() / "signing.pem");
    return model::write_bundle(header, {bytes}, [&](std::string_view message) { return key->sign(message); }).value_or("");
  }
  /// Asks until the answer fits; the hub works on its own clock.
  template <class Condition>
  bool eventually(const std::string& path, Condition condition) {
    const TimeNs deadline = system_clock().steady_now() + kPatience;
    while (system_clock().steady_now() < deadline) {
      if (condition(get(path))) return true;
    }
    return false;
  }

  std::optional<TempFolder> folder_;
  std::unique_ptr<Hub> hub_;
  wire::HttpOptions operator_;
  wire::HttpOptions anyone_;
};

TEST_F(HubTest, ATokenLetsOneNodeInOnce) {
  const std::string text = token();
  TestNode node("node-1", folder_->path());
  const auto joined = node.join(hub_->url(), hub_->ca_file(), text);
  ASSERT_TRUE(joined);
  ASSERT_EQ(joined->status, 200) << joined->body;
  EXPECT_EQ(node.answer()["node"], "node-1");
  EXPECT_EQ(node.answer()["mqtt_port"], hub_->mqtt_port());
  ASSERT_EQ(node.answer()["release_keys"].size(), 1U);
  EXPECT_TRUE(trust::PublicKey::from_pem(node.answer()["release_keys"][0].get<std::string>(), "test"));
  TestNode other("node-2", folder_->path());
  EXPECT_EQ(other.join(hub_->url(), hub_->ca_file(), text)->status, 409);
  EXPECT_EQ(other.join(hub_->url(), hub_->ca_file(), token())->status, 200);
  TestNode taken("node-1", folder_->path());
  EXPECT_EQ(taken.join(hub_->url(), hub_->ca_file(), token())->status, 409);
  EXPECT_EQ(taken.join(hub_->url(), hub_->ca_file(), token(R"({"valid_seconds": 600, "node": "node-1"})"))->status, 200);
  TestNode fake("hub", folder_->path());
  EXPECT_EQ(fake.join(hub_->url(), hub_->ca_file(), token())->status, 400);
  auto forged = trust::read_token(token());
  ASSERT_TRUE(forged);
  forged->secret = std::string(64, '0');
  EXPECT_EQ(other.join(hub_->url(), hub_->ca_file(), trust::write_token(*forged))->status, 403);
}

TEST_F(HubTest, RecordsAreStoredOnceAlsoWhenTheBrokerDiesInBetween) {
  const auto node = join("node-1");
  ASSERT_TRUE(node->deliver(1, 50));
  ASSERT_EQ(::kill(hub_->broker_pid(), SIGKILL), 0);
  ASSERT_TRUE(node->deliver(41, 100, "alert"));
  const Json answer = get("/v1/records?node=node-1&after=0&limit=5000");
  ASSERT_EQ(answer["records"].size(), 100U);
  EXPECT_EQ(answer["records"][99]["sequence"], 100);
  EXPECT_EQ(answer["records"][99]["body"]["item"], 100);
  EXPECT_EQ(answer["next"], answer["records"][99]["rowid"]);
  EXPECT_EQ(get("/v1/records?kind=alert&limit=10")["records"].size(), 10U);
  const Json summary = get("/v1/summary");
  EXPECT_EQ(summary["records"], 100);
  EXPECT_EQ(summary["alerts"], 50);
  EXPECT_EQ(summary["broker"]["restarts"], 1);
}

TEST_F(HubTest, BundlesGoToNodesOfThisHubOnly) {
  const std::string bytes = bundle(2, std::string(300'000, 'm'));
  const auto put = wire::http_put(hub_->url() + "/v1/releases", bytes, operator_);
  ASSERT_TRUE(put);
  ASSERT_EQ(put->status, 200) << put->body;
  EXPECT_EQ(parse_json(put->body, "put").value()["release"], 2);
  EXPECT_EQ(wire::http_put(hub_->url() + "/v1/releases", bytes, operator_)->status, 200);
  EXPECT_EQ(wire::http_put(hub_->url() + "/v1/releases", bundle(2, "other"), operator_)->status, 409);
  EXPECT_EQ(wire::http_put(hub_->url() + "/v1/releases", "no bundle", operator_)->status, 422);
  EXPECT_EQ(wire::http_put(hub_->url() + "/v1/releases", bytes, anyone_)->status, 401);
  EXPECT_EQ(get("/v1/releases")["releases"].size(), 1U);

  const std::string path = hub_->url() + "/v1/releases/2/bundle";
  EXPECT_EQ(wire::http_get(path, anyone_)->status, 401);
  TestNode node("node-1", folder_->path());
  ASSERT_EQ(node.join(hub_->url(), hub_->ca_file(), token())->status, 200);
  EXPECT_EQ(wire::http_get(path, node.http())->body, bytes);
  EXPECT_EQ(wire::http_get(hub_->url() + "/v1/nodes", node.http())->status, 401);
  EXPECT_EQ(wire::http_get(hub_->url() + "/v1/releases/9/bundle", node.http())->status, 404);
  EXPECT_EQ(wire::http_get(hub_->url() + "/v1/releases/x/bundle", node.http())->status, 404);
  const Path file = folder_->path() / "fetched.moru";
  const Status fetched = wire::http_download(path, file, bytes.size(), node.http());
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_EQ(read_file(file).value(), bytes);
}

TEST_F(HubTest, ARolloutRunsOverTheRealWire) {
  ASSERT_EQ(wire::http_put(hub_->url() + "/v1/releases", bundle(2, "model"), operator_)->status, 200);
  const auto node = join("node-1");
  ASSERT_TRUE(node->report(1));
  ASSERT_TRUE(eventually("/v1/nodes/node-1", [](const Json& json) { return json["online"] == true && json["state"].is_object(); }));
  const auto created = post("/v1/rollouts", R"({"release": 2})");
  ASSERT_EQ(created.status, 200) << created.body;
  EXPECT_EQ(post("/v1/rollouts", R"({"release": 2})").status, 409);
  const std::string id = node->wait_action("stage");
  EXPECT_EQ(parse_json(created.body, "rollout").value()["id"], id);
  wire::ShadowStats shadow;
  shadow.items = shadow.labelled = 600;
  shadow.agree = shadow.both_right = 550;
  ASSERT_TRUE(node->report(1, id, DeploymentPhase::kShadowing, shadow));
  EXPECT_EQ(node->wait_action("commit"), id);
  ASSERT_TRUE(node->report(2, id, DeploymentPhase::kCommitted, shadow));
  EXPECT_TRUE(eventually("/v1/rollouts/" + id, [](const Json& json) { return json["state"] == "succeeded"; }));
  const Json rollout = get("/v1/rollouts/" + id);
  EXPECT_EQ(rollout["gate"]["items"], 600);
  EXPECT_EQ(rollout["nodes"][0]["phase"], "committed");
  EXPECT_EQ(rollout["outcome"], "succeeded");
  EXPECT_GE(rollout["history"].size(), 3U);
  EXPECT_EQ(get("/v1/nodes/node-1")["deployments"].size(), 1U);
}

TEST_F(HubTest, ARestartedHubKeepsItsNodesPortsAndWishes) {
  const auto node = join("node-1");
  ASSERT_TRUE(node->deliver(1, 10));
  const int mqtt_port = hub_->mqtt_port();
  hub_.reset();
  start();
  EXPECT_EQ(hub_->mqtt_port(), mqtt_port);
  ASSERT_EQ(post("/v1/nodes/node-1/drain", R"({"at": 77})").status, 200);
  EXPECT_TRUE(node->wait_drain(77));
  ASSERT_TRUE(node->deliver(5, 20));
  EXPECT_EQ(get("/v1/records?after=0&limit=100")["records"].size(), 20U);
}

TEST_F(HubTest, ANodeThatGoesIsOffline) {
  const auto node = join("node-1");
  ASSERT_TRUE(eventually("/v1/nodes", [](const Json& json) { return json["nodes"][0]["online"] == true; }));
  ASSERT_TRUE(node->report(1));
  ASSERT_TRUE(node->say_good_bye());
  EXPECT_TRUE(eventually("/v1/nodes", [](const Json& json) { return json["nodes"][0]["online"] == false; }));
}

TEST_F(HubTest, OneHubAFolderAndAPort) {
  const auto same = Hub::start({.home = folder_->path() / "home", .port = 0, .mqtt_port = 0, .release_keys = {}});
  ASSERT_FALSE(same);
  EXPECT_EQ(same.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(same.error().message, HasSubstr("another hub runs"));
  const std::string url = hub_->url();
  const int port = std::stoi(url.substr(url.rfind(':') + 1));
  const auto second = Hub::start({.home = folder_->path() / "home-2", .port = port, .mqtt_port = 0, .release_keys = {}});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("in use"));
}

TEST_F(HubTest, HostileRequestsGetOneSentence) {
  const auto expect = [](const wire::HttpResponse& response, int status) {
    EXPECT_EQ(response.status, status) << response.body;
    const auto json = parse_json(response.body, "error");
    ASSERT_TRUE(json) << response.body;
    EXPECT_TRUE(json->contains("error")) << response.body;
  };
  for (const char* path : {"/v1/tokens", "/v1/rollouts", "/v1/join", "/v1/nodes/x/drain", "/v1/rollouts/x/abort"}) {
    for (const std::string& body : {std::string(), std::string("{"), std::string("[1]"), std::string("\"x\""), std::string(5000, '['),
                                    std::string("{\"valid_seconds\":1e99}")}) {
      expect(post(path, body), 400);
    }
    expect(post(path, std::string(2U << 20U, 'x')), 413);
  }
  expect(post("/v1/tokens", R"({"valid_seconds": 0})"), 400);
  expect(post("/v1/nodes/nobody/drain", R"({"at": 5})"), 404);
  expect(post("/v1/rollouts", R"({"release": 12})"), 404);
  expect(post("/v1/rollouts/r9/abort", R"({"reason": "x"})"), 404);
  expect(post("/v1/nodes", "{}"), 405);
  expect(post("/v1/nothing", "{}"), 404);
  expect(wire::http_get(hub_->url() + "/v1/records?limit=-1", operator_).value(), 400);
  expect(wire::http_get(hub_->url() + "/v1/records?limit=9999999", operator_).value(), 400);
  expect(wire::http_get(hub_->url() + "/v1/records?after=x", operator_).value(), 400);
  expect(wire::http_get(hub_->url() + "/v1/records?kind=secret", operator_).value(), 400);
  expect(wire::http_get(hub_->url() + "/assets/%2e%2e/%2e%2e/operator-token", anyone_).value(), 400);
  expect(wire::http_get(hub_->url() + "/assets/operator-token", anyone_).value(), 404);
  expect(wire::http_get(hub_->url() + "/v1/nodes", anyone_).value(), 401);
  auto wrong = operator_;
  wrong.bearer = std::string(64, '0');
  expect(wire::http_get(hub_->url() + "/v1/nodes", wrong).value(), 401);
  expect(wire::http_get(hub_->url() + "/?token=wrong", anyone_).value(), 401);
}

}  // namespace
}  // namespace moru::fleet
