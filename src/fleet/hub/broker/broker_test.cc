// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/broker/broker.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <condition_variable>
#include <map>

#include "trust/certificates.h"
#include "wire/messages.h"
#include "wire/mqtt.h"

namespace moru::fleet {
namespace {

using ::testing::HasSubstr;
constexpr auto kPatience = std::chrono::seconds(20);

/// A client of the broker that keeps what it hears.
struct Client {
  std::mutex mutex;
  std::condition_variable wake;
  bool connected = false;
  int connections = 0;
  std::map<std::string, std::string> heard;
  std::unique_ptr<wire::MqttClient> mqtt;

  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex);
    return wake.wait_for(lock, kPatience, condition);
  }
};

class BrokerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-broker");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    auto authority = trust::CertificateAuthority::load_or_create(folder_->path() / "ca");
    ASSERT_TRUE(authority) << authority.error().message;
    authority_.emplace(std::move(*authority));
  }
  Result<std::unique_ptr<Broker>> start(const std::string& program = "mosquitto") {
    return Broker::start({.folder = folder_->path() / "broker", .port = 0, .hub_name = "hub", .program = program}, *authority_);
  }
  void connect(Client& client, int port, const std::string& name, std::vector<std::string> subscriptions) {
    const auto made = trust::make_request(name);
    ASSERT_TRUE(made);
    const auto certificate = authority_->issue_client(made->request_pem, name);
    ASSERT_TRUE(certificate);
    wire::MqttOptions options;
    options.port = port;
    options.client_id = name;
    options.ca_file = folder_->path() / "ca" / "ca.pem";
    options.certificate_file = folder_->path() / (name + ".pem");
    options.key_file = folder_->path() / (name + "-key.pem");
    ASSERT_TRUE(write_file_atomic(options.certificate_file, *certificate));
    ASSERT_TRUE(write_file_atomic(options.key_file, made->key_pem, 0600));
    options.subscriptions = std::move(subscriptions);
    options.on_message = [&client](std::string_view topic, std::string_view payload) {
      const std::lock_guard lock(client.mutex);
      client.heard[std::string(topic)] = payload;
      client.wake.notify_all();
    };
    options.on_connection = [&client](bool connected, std::string_view) {
      const std::lock_guard lock(client.mutex);
      client.connected = connected;
      if (connected) ++client.connections;
      client.wake.notify_all();
    };
    auto mqtt = wire::MqttClient::start(std::move(options));
    ASSERT_TRUE(mqtt) << mqtt.error().message;
    client.mqtt = std::move(*mqtt);
    ASSERT_TRUE(client.wait([&] { return client.connected; }));
  }

  std::optional<TempFolder> folder_;
  std::optional<trust::CertificateAuthority> authority_;
};

TEST_F(BrokerTest, ANodeReachesItsOwnTopicsOnly) {
  const auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  Client hub;
  connect(hub, (*broker)->port(), "hub", {"moru/v1/nodes/+/state"});
  Client node;
  connect(node, (*broker)->port(), "a", {wire::node_topic("a", "desired"), wire::node_topic("b", "desired")});
  // What it may not publish is thrown away, so the last one is all that the hub hears.
  ASSERT_TRUE(node.mqtt->publish(wire::node_topic("b", "state"), "forged", 1, false));
  ASSERT_TRUE(node.mqtt->publish(wire::node_topic("a", "desired"), "forged", 1, true));
  ASSERT_TRUE(node.mqtt->publish(wire::node_topic("a", "state"), "mine", 1, false));
  ASSERT_TRUE(hub.wait([&] { return hub.heard.contains(wire::node_topic("a", "state")); }));
  EXPECT_FALSE(hub.heard.contains(wire::node_topic("b", "state")));
  ASSERT_TRUE(hub.mqtt->publish(wire::node_topic("b", "desired"), "for b", 1, false));
  ASSERT_TRUE(hub.mqtt->publish(wire::node_topic("a", "desired"), "for a", 1, false));
  ASSERT_TRUE(node.wait([&] { return node.heard.contains(wire::node_topic("a", "desired")); }));
  EXPECT_EQ(node.heard[wire::node_topic("a", "desired")], "for a");
  EXPECT_FALSE(node.heard.contains(wire::node_topic("b", "desired")));
}

TEST_F(BrokerTest, ComesBackOnTheSamePortWhenItIsKilled) {
  const auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  Client client;
  connect(client, (*broker)->port(), "a", {});
  const pid_t first = (*broker)->pid();
  ASSERT_GT(first, 0);
  const int port = (*broker)->port();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  ASSERT_TRUE(client.wait([&] { return client.connections == 2; }));
  EXPECT_EQ((*broker)->port(), port);
  EXPECT_EQ((*broker)->restarts(), 1);
  EXPECT_NE((*broker)->pid(), first);
}

TEST_F(BrokerTest, TakesThePortOfTheLastTimeAgain) {
  int port = 0;
  {
    const auto broker = start();
    ASSERT_TRUE(broker) << broker.error().message;
    port = (*broker)->port();
  }
  const auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  EXPECT_EQ((*broker)->port(), port);
}

TEST_F(BrokerTest, StopsItsProcess) {
  auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  const pid_t pid = (*broker)->pid();
  broker->reset();
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(BrokerTest, SaysWhatToInstallAndWhyItDoesNotStart) {
  const auto missing = start("no-such-broker");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(missing.error().message, HasSubstr("install mosquitto"));
  const auto broken = start("false");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(broken.error().message, HasSubstr("ended with exit code 1"));
}

}  // namespace
}  // namespace moru::fleet
