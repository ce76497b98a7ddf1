// SPDX-License-Identifier: Apache-2.0
// Against a real broker.
#include "wire/mqtt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "trust/certificates.h"
#include "wire/testing/broker.h"

namespace moru::wire {
namespace {

using ::testing::HasSubstr;
using testing::TestBroker;

/// What callbacks saw, with a wait that ends when a condition holds.
class Seen {
 public:
  void message(std::string_view topic, std::string_view payload) {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::string(topic) + "=" + std::string(payload));
    wake_.notify_all();
  }
  void connection(bool up, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    (up ? ups_ : downs_) += 1;
    reason_ = reason;
    wake_.notify_all();
  }
  bool wait_ups(int count) {
    return wait([&] { return ups_ >= count; });
  }
  bool wait_downs(int count) {
    return wait([&] { return downs_ >= count; });
  }
  bool wait_message(const std::string& message) {
    return wait([&] { return std::ranges::find(messages_, message) != messages_.end(); });
  }
  bool has_message(const std::string& message) {
    const std::lock_guard lock(mutex_);
    return std::ranges::find(messages_, message) != messages_.end();
  }
  std::string reason() {
    const std::lock_guard lock(mutex_);
    return reason_;
  }
  int downs() {
    const std::lock_guard lock(mutex_);
    return downs_;
  }
  int ups() {
    const std::lock_guard lock(mutex_);
    return ups_;
  }

 private:
  template <class Condition>
  bool wait(Condition&& condition) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, std::chrono::seconds(20), condition);
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::string> messages_;
  int ups_ = 0;
  int downs_ = 0;
  std::string reason_;
};

class MqttTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto ca = trust::CertificateAuthority::load_or_create(path("ca"));
    auto other = trust::CertificateAuthority::load_or_create(path("other"));
    ASSERT_TRUE(ca && other);
    const auto server = ca->issue_server("broker", {"127.0.0.1"});
    write("broker.pem", server->certificate_pem);
    write("broker-key.pem", server->key_pem);
    const auto misnamed = ca->issue_server("broker", {"127.0.0.9"});
    write("misnamed.pem", misnamed->certificate_pem);
    write("misnamed-key.pem", misnamed->key_pem);
    const auto request = trust::make_request("node-1");
    write("node.pem", *ca->issue_client(request->request_pem, "node-1"));
    write("stranger.pem", *other->issue_client(request->request_pem, "node-1"));
    write("node-key.pem", request->key_pem);
  }
  Path path(const std::string& name) const { return folder_.path() / name; }
  void write(const std::string& name, const std::string& text) { ASSERT_TRUE(write_file_atomic(path(name), text, 0600)); }
  TestBroker broker(const std::string& certificate = "broker") {
    auto result = TestBroker::start({.folder = folder_.path(),
                                     .ca_file = path("ca/ca.pem"),
                                     .certificate_file = path(certificate + ".pem"),
                                     .key_file = path(certificate + "-key.pem")});
    EXPECT_TRUE(result) << result.error().message;
    return std::move(*result);
  }
  MqttOptions options(int port, const std::string& id, Seen& seen) const {
    MqttOptions result;
    result.port = port;
    result.client_id = id;
    result.ca_file = path("ca/ca.pem");
    result.certificate_file = path("node.pem");
    result.key_file = path("node-key.pem");
    result.on_message = [&seen](std::string_view topic, std::string_view payload) { seen.message(topic, payload); };
    result.on_connection = [&seen](bool up, std::string_view reason) { seen.connection(up, reason); };
    return result;
  }
  std::unique_ptr<MqttClient> start(MqttOptions options) {
    auto client = MqttClient::start(std::move(options));
    EXPECT_TRUE(client) << client.error().message;
    return std::move(*client);
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-mqtt"));
};

TEST_F(MqttTest, PublishesAndReceives) {
  auto server = broker();
  Seen a_seen;
  Seen b_seen;
  auto b_options = options(server.port(), "b", b_seen);
  b_options.subscriptions = {"t/+"};
  const auto b = start(std::move(b_options));
  ASSERT_TRUE(b_seen.wait_ups(1)) << b_seen.reason() << server.log();
  const auto a = start(options(server.port(), "a", a_seen));
  ASSERT_TRUE(a_seen.wait_ups(1)) << a_seen.reason();
  EXPECT_TRUE(a->connected());
  ASSERT_TRUE(a->publish("t/retained", "r", 1, true));
  EXPECT_TRUE(b_seen.wait_message("t/retained=r"));
  const std::string large(300'000, 'x');
  ASSERT_TRUE(a->publish("t/large", large, 1, false));
  EXPECT_TRUE(b_seen.wait_message("t/large=" + large));
  ASSERT_TRUE(a->publish("t/empty", "", 0, false));
  EXPECT_TRUE(b_seen.wait_message("t/empty="));
  EXPECT_EQ(a->publish("t/#", "x", 0, false).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(MqttTest, ReconnectsAndSubscribesAgainAfterTheBrokerWasKilled) {
  auto server = broker();
  Seen seen;
  auto wanted = options(server.port(), "a", seen);
  wanted.subscriptions = {"t/x"};
  const auto client = start(std::move(wanted));
  ASSERT_TRUE(seen.wait_ups(1)) << seen.reason();
  const int downs = seen.downs();  // the first tries may have come before the broker listened
  server.kill();
  ASSERT_TRUE(seen.wait_downs(downs + 1));
  EXPECT_FALSE(client->connected());
  const auto status = client->publish("t/x", "lost", 1, false);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  ASSERT_TRUE(server.restart());
  ASSERT_TRUE(seen.wait_ups(2)) << seen.reason();
  ASSERT_TRUE(client->publish("t/x", "again", 1, false));
  EXPECT_TRUE(seen.wait_message("t/x=again"));
}

TEST_F(MqttTest, StartsBeforeTheBrokerIsThere) {
  auto server = broker();
  server.kill();
  Seen seen;
  const auto client = start(options(server.port(), "a", seen));
  ASSERT_TRUE(seen.wait_downs(1));
  ASSERT_TRUE(server.restart());
  EXPECT_TRUE(seen.wait_ups(1)) << seen.reason();
}

TEST_F(MqttTest, ABrokerOfAnotherCaOrNameIsNotTrusted) {
  auto server = broker();
  Seen seen;
  auto wanted = options(server.port(), "a", seen);
  wanted.ca_file = path("other/ca.pem");
  const auto client = start(std::move(wanted));
  ASSERT_TRUE(seen.wait_downs(2));
  EXPECT_THAT(seen.reason(), HasSubstr("not trusted"));
  EXPECT_EQ(seen.ups(), 0);

  auto misnamed = broker("misnamed");
  Seen other_seen;
  const auto other = start(options(misnamed.port(), "b", other_seen));
  ASSERT_TRUE(other_seen.wait_downs(2));
  EXPECT_EQ(other_seen.ups(), 0);
}

TEST_F(MqttTest, ANodeOfAnotherCaIsRefusedByTheBroker) {
  auto server = broker();
  Seen seen;
  auto wanted = options(server.port(), "a", seen);
  wanted.certificate_file = path("stranger.pem");
  const auto client = start(std::move(wanted));
  ASSERT_TRUE(seen.wait_downs(2));
  EXPECT_EQ(seen.ups(), 0);
}

TEST_F(MqttTest, TheWillIsPublishedForALostNodeOnly) {
  auto server = broker();
  Seen watcher_seen;
  auto watcher_options = options(server.port(), "watcher", watcher_seen);
  watcher_options.subscriptions = {"online/+"};
  const auto watcher = start(std::move(watcher_options));
  ASSERT_TRUE(watcher_seen.wait_ups(1)) << watcher_seen.reason();

  Seen first_seen;
  auto first_options = options(server.port(), "same-id", first_seen);
  first_options.will_topic = "online/first";
  first_options.will_payload = "0";
  const auto first = start(std::move(first_options));
  ASSERT_TRUE(first_seen.wait_ups(1));

  Seen polite_seen;
  auto polite_options = options(server.port(), "polite", polite_seen);
  polite_options.will_topic = "online/polite";
  polite_options.will_payload = "0";
  auto polite = start(std::move(polite_options));
  ASSERT_TRUE(polite_seen.wait_ups(1));
  ASSERT_TRUE(polite->publish("online/polite", "bye", 1, true));
  polite.reset();
  EXPECT_TRUE(watcher_seen.wait_message("online/polite=bye")) << "what was published before the end still goes out";

  // The broker throws the first client out when another takes its id: for the first that is a loss.
  Seen second_seen;
  const auto second = start(options(server.port(), "same-id", second_seen));
  EXPECT_TRUE(watcher_seen.wait_message("online/first=0"));
  ASSERT_TRUE(watcher->publish("online/mark", "1", 1, false));
  ASSERT_TRUE(watcher_seen.wait_message("online/mark=1"));
  EXPECT_FALSE(watcher_seen.has_message("online/polite=0"));
}

TEST_F(MqttTest, EndsQuicklyInEveryState) {
  auto server = broker();
  for (const bool alive : {true, false}) {
    if (!alive) server.kill();
    Seen seen;
    auto client = start(options(server.port(), "a", seen));
    if (alive) {
      ASSERT_TRUE(seen.wait_ups(1));
    } else {
      ASSERT_TRUE(seen.wait_downs(1));
    }
    const TimeNs began = system_clock().steady_now();
    client.reset();
    EXPECT_LT(system_clock().steady_now() - began, 3 * kSecond);
  }
}

TEST_F(MqttTest, SaysWhichFileIsMissing) {
  Seen seen;
  auto wanted = options(1, "a", seen);
  wanted.key_file = path("none.pem");
  const auto client = MqttClient::start(std::move(wanted));
  ASSERT_FALSE(client);
  EXPECT_THAT(client.error().message, HasSubstr("none.pem"));
}

}  // namespace
}  // namespace moru::wire
