// SPDX-License-Identifier: Apache-2.0
// read_mqtt and write_mqtt at a real broker: both versions, all QoS, TLS, passwords, a broker that is killed, and what must not be taken.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <set>

#include "core/json.h"
#include "core/process.h"
#include "core/sanitized_for_test.h"
#include "core/text.h"
#include "edge/streams/mqtt_options.h"
#include "edge/streams/stage_for_test.h"
#include "trust/certificates.h"
#include "wire/mqtt_publisher.h"
#include "wire/testing/broker.h"

namespace moru::edge {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using wire::mqtt::Publisher;
using wire::testing::TestBroker;

constexpr auto kPatience = std::chrono::seconds(60);

/// Whatever a test waits for comes within a minute, or never.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  bool in_time = true;  // the condition is asked once: what holds for a moment has come
  while (!condition() && (in_time = std::chrono::steady_clock::now() < end)) ::usleep(1000);
  return in_time;
}

class MqttTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-mqtt");
    ASSERT_TRUE(folder);
    temp_.emplace(std::move(*folder));
  }
  void start_broker(wire::testing::BrokerOptions options = {}) {
    options.folder = temp_->path();
    options.more += "max_queued_messages 0\nmax_inflight_messages 0\n";
    auto broker = TestBroker::start(options);
    ASSERT_TRUE(broker) << broker.error().message;
    broker_.emplace(std::move(*broker));
  }
  Path out() const { return temp_->path() / "out.jsonl"; }

  /// read_mqtt with these options -> write_json, running.
  std::unique_ptr<Stream> reader(std::string_view options) {
    return start(
        fmt::format("    - {{name: in, stage: read_mqtt, options: {{port: {}, {}}}}}\n"
                    "    - {{name: out, stage: write_json, inputs: [in], options: {{path: '{}', append: false}}}}\n",
                    broker_->port(), options, out().string()));
  }
  /// synthetic with these options -> write_mqtt with those.
  std::unique_ptr<Stream> writer(std::string_view source, std::string_view sink) {
    return start(
        fmt::format("    - {{name: in, stage: synthetic, options: {{{}}}}}\n"
                    "    - {{name: out, stage: write_mqtt, inputs: [in], options: {{port: {}, {}}}}}\n",
                    source, broker_->port(), sink));
  }
  static std::unique_ptr<Stream> start(const std::string& stages) {
    const auto document =
        ConfigObject::parse("apiVersion: moru.dev/v1\nkind: Stream\nmetadata: {name: test}\nspec:\n  stages:\n" + stages, "test.yaml");
    EXPECT_TRUE(document) << document.error().message;
    const auto spec = read_stream(*document);
    EXPECT_TRUE(spec) << spec.error().message;
    auto stream = Stream::start(*spec, {.clock = &system_clock(), .resources = {}, .stream = "test", .stop = {}});
    EXPECT_TRUE(stream) << stream.error().message;
    return std::move(*stream);
  }
  std::unique_ptr<Publisher> publisher() const {
    auto made = Publisher::start({.port = broker_->port()}, 1000, {});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static void publish(Publisher& publisher, std::string_view topic, std::string_view payload, std::uint8_t qos = 1) {
    const auto number = publisher.publish(topic, payload, qos, false, {});
    EXPECT_TRUE(number) << number.error().message;
  }
  /// Until the source's subscription is known to be there: messages for "probe".
  static void wait_until_subscribed(const Stream& stream, Publisher& publisher) {
    EXPECT_TRUE(eventually([&] {
      publish(publisher, "t/probe/x", R"({"value": -1})");
      return stream.state().items > 0;
    }));
  }
  /// The values of the items that were written, but probes.
  std::multiset<double> values() const {
    std::multiset<double> all;
    const auto text = read_file(out()).value_or("");
    for (const auto line : split(text, '\n')) {
      const auto json = parse_json(line, "out");
      if (json && json->contains("value") && (*json)["value"] != -1) all.insert((*json)["value"].get<double>());
    }
    return all;
  }
  static void expect_exact(const StreamState& state) {
    for (const auto& link : state.ledger) EXPECT_TRUE(link.balanced()) << link.link;
    for (const auto& row : state.stages) {
      EXPECT_TRUE(row.balanced()) << row.name;
      EXPECT_EQ(row.held, 0U) << row.name;
      EXPECT_EQ(row.unsettled, 0U) << row.name;
    }
  }
  static std::map<std::string, std::uint64_t> dropped(const StreamState& state, std::size_t stage) {
    return {state.stages[stage].dropped.begin(), state.stages[stage].dropped.end()};
  }

  std::optional<TempFolder> temp_;
  std::optional<TestBroker> broker_;
};

TEST(MqttTopic, PartsBecomeFieldsAndFieldsParts) {
  const auto read = MqttTopic::to_read("$share/g/plant/{line}/+/{device}/#", "t");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->filter(), "$share/g/plant/+/+/+/#");
  Item item;
  EXPECT_FALSE(read->read("plant/a/b", item));
  EXPECT_EQ(item.fields.size(), 0U);
  EXPECT_TRUE(read->read("plant/a/b/c/d/e", item));
  EXPECT_EQ(item.text("line"), "a");
  EXPECT_EQ(item.text("device"), "c");
  EXPECT_TRUE(read->read("plant/a/b/c", item));  // # is the level above, too
  const auto exact = MqttTopic::to_read("a/{b}", "t");
  EXPECT_FALSE(exact->read("a/b/c", item));
  const auto write = MqttTopic::to_write("alerts/{line}-{n}", "t");
  ASSERT_TRUE(write);
  std::string topic;
  EXPECT_EQ(write->write(item, topic), "no field for the topic");
  item.set("n", 7);
  EXPECT_EQ(write->write(item, topic), "");
  EXPECT_EQ(topic, "alerts/a-7");
  item.set("line", "a/#");
  EXPECT_EQ(write->write(item, topic), "bad field for the topic");
}

TEST(MqttOptions, MistakesAreNamed) {
  const auto source = [](std::string_view options) {
    return testing::make_source("read_mqtt", fmt::format("{{topics: [a], fields: {{v: double}}, {}}}", options)).error().message;
  };
  EXPECT_THAT(source("certificate_file: x"), HasSubstr("without 'tls: true'"));
  EXPECT_THAT(source("tls: true, key_file: x"), HasSubstr("both or neither"));
  EXPECT_THAT(source("password_file: x"), HasSubstr("without 'user'"));
  EXPECT_THAT(source("clean_session: false"), HasSubstr("without 'client_id'"));
  EXPECT_THAT(source("format: text"), HasSubstr("expected a number or a text"));
  EXPECT_THAT(source("format: bytes"), HasSubstr("'field'"));
  EXPECT_THAT(source("version: 4"), HasSubstr("one of 5, 3.1.1"));
  const auto topic = [](std::string_view text) {
    return testing::make_source("read_mqtt", fmt::format("{{topics: ['{}'], fields: {{v: double}}}}", text)).error().message;
  };
  EXPECT_THAT(topic("a/x{b}"), HasSubstr("as a whole level"));
  EXPECT_THAT(topic("a/#/b"), HasSubstr("# at the end"));
  EXPECT_THAT(topic("a/{b.c}"), HasSubstr("without a dot"));
  EXPECT_THAT(testing::make_stage("write_mqtt", "{topic: a/+}").error().message, HasSubstr("without wildcards"));
  EXPECT_THAT(testing::make_stage("write_mqtt", "{topic: a, format: text, fields: [b]}").error().message, HasSubstr("expected 'field'"));
}

TEST_F(MqttTest, WhatIsWrittenIsReadInBothVersionsAndWithEveryQos) {
  start_broker();
  const auto probe = publisher();
  for (const std::string version : {"5", "3.1.1"}) {
    for (const int qos : {0, 1, 2}) {
      SCOPED_TRACE(version + " QoS " + std::to_string(qos));
      const auto in =
          reader(fmt::format("version: {}, qos: {}, topics: ['t/{{device}}/{{what}}'], fields: {{value: double}}", version, qos));
      wait_until_subscribed(*in, *probe);
      const auto written = writer("keys: 3, items: 300",
                                  fmt::format("version: {}, qos: {}, topic: 't/{{device}}/x', in_flight: 10", version, std::min(qos, 1)));
      ASSERT_TRUE(eventually([&] { return written->finished(); }));
      expect_exact(written->state());
      EXPECT_EQ(written->state().stages[1].used, 300U);
      EXPECT_TRUE(eventually([&] { return values().size() == 300; })) << values().size();
      in->stop();
      expect_exact(in->state());
      EXPECT_THAT(read_file(out()).value_or(""), HasSubstr(R"("device":"device-2","what":"x")"));
    }
  }
}

TEST_F(MqttTest, PayloadsAreNumbersTextsAndBytes) {
  start_broker();
  const auto probe = publisher();
  const auto run = [&](std::string_view options, std::string_view payload) {
    const auto in = reader(options);
    EXPECT_TRUE(eventually([&] {
      publish(*probe, "t/a", payload);
      return in->state().items > 0;
    }));
    in->stop();
    return read_file(out()).value_or("");
  };
  EXPECT_THAT(run("topics: [t/+], format: number, fields: {value: double degC}, acknowledge: received, gather_ms: 2", " 23.5\n"),
              HasSubstr(R"("value":23.5,)"));
  EXPECT_THAT(run("topics: ['#'], format: text, fields: {says: text}, topic_field: topic", "hi"),
              HasSubstr(R"("topic":"t/a","says":"hi")"));
  const auto source = testing::make_source("read_mqtt", "{topics: [t], format: bytes, field: image}");
  EXPECT_EQ(to_string((*source)->bind()->fields[0]), "tensor uint8 [-1]");
}

TEST_F(MqttTest, WhatIsNoRecordIsDroppedWithItsReasonAndAcknowledged) {
  start_broker();
  const auto probe = publisher();
  const auto in = reader("topics: ['t/{device}/x'], fields: {value: double, n: int64}, time: at, time_unit: ms, max_message_bytes: 100000");
  EXPECT_TRUE(eventually([&] {
    publish(*probe, "t/a/x", R"({"value": -1, "at": 1})");
    return in->state().items > 0;
  }));
  publish(*probe, "t/a/x", "\xFF\xFE");
  publish(*probe, "t/a/x", "[1]");
  publish(*probe, "t/a/x", R"({"other": 1, "at": 1})");
  publish(*probe, "t/a/x", R"({"value": "x", "at": 1})");
  publish(*probe, "t/a/x", R"({"n": 1.5, "at": 1})");
  publish(*probe, "t/a/x", R"({"value": 1})");
  publish(*probe, "t/a/x", R"({"value": 1e999, "at": 1})");
  publish(*probe, "t/a/x", std::string(8'000'000, 'x'));
  publish(*probe, "t/a/x", std::string(8'000'000, 'x'), 0);
  publish(*probe, "t/a/x", R"({"value": 5, "at": 1700000000123})");
  EXPECT_TRUE(eventually([&] { return values().contains(5); }));
  in->stop();
  expect_exact(in->state());
  EXPECT_THAT(dropped(in->state(), 0),
              ::testing::ElementsAre(std::pair("no JSON object", 3), std::pair("no field", 1), std::pair("no time", 1),
                                     std::pair("too large", 2), std::pair("wrong type", 2)));
  EXPECT_THAT(read_file(out()).value_or(""), HasSubstr(R"("time":1700000000123000000,"device":"a","value":5.0)"));
}

TEST_F(MqttTest, NothingIsLostWhenTheBrokerIsKilledWhileTheSourceReads) {
  start_broker({.persistence = true});
  const std::string options = "topics: [t/+/x], client_id: reader, clean_session: false, fields: {value: double}";
  const auto probe = publisher();
  {
    const auto in = reader(options);
    wait_until_subscribed(*in, *probe);
    in->stop();
  }
  for (int i = 0; i < 500; ++i) publish(*probe, "t/a/x", fmt::format(R"({{"value": {}}})", i));
  EXPECT_TRUE(probe->wait_until_answered({}, kSecond));
  broker_->stop();  // it writes down what it has
  ASSERT_TRUE(broker_->restart());
  const auto in = reader(options);
  for (int kills = 0; kills < 3; ++kills) {
    const auto before = in->state().items;
    EXPECT_TRUE(eventually([&] { return in->state().items > before; }));
    broker_->kill();
    EXPECT_TRUE(eventually([&] { return in->state().state.starts_with("stale"); }));
    ASSERT_TRUE(broker_->restart());  // as it was when it was stopped: it sends all again
  }
  EXPECT_TRUE(eventually([&] {
    const auto all = values();
    return std::set<double>(all.begin(), all.end()).size() == 500;
  }));
  in->stop();
  expect_exact(in->state());
}

TEST_F(MqttTest, TheSinkWaitsForABrokerThatWasKilledAndLosesNothing) {
  start_broker();
  const auto out = writer("items: 3000, rate_hz: 10000", "topic: t/x, in_flight: 50");
  for (int kills = 0; kills < 3; ++kills) {
    const auto before = out->state().stages[1].used;
    EXPECT_TRUE(eventually([&] { return out->state().stages[1].used > before || out->finished(); }));
    broker_->kill();
    EXPECT_TRUE(eventually([&] { return out->finished() || out->state().state.find("the broker") != std::string::npos; }))
        << out->state().state;
    ASSERT_TRUE(broker_->restart());
  }
  EXPECT_TRUE(eventually([&] { return out->finished(); }));
  expect_exact(out->state());
  EXPECT_EQ(out->state().stages[1].used, 3000U);
}

TEST_F(MqttTest, AMessageIsAcknowledgedWhenItsItemIsStoredAndComesAgainWhenItIsNot) {
  start_broker();
  const auto folder = TempFolder::create("moru-mqtt-other");
  auto other = TestBroker::start({.folder = folder->path()});
  ASSERT_TRUE(other) << other.error().message;
  const auto stages = fmt::format(
      "    - {{name: in, stage: read_mqtt, options: {{port: {}, topics: [t/x], client_id: bridge, clean_session: false, "
      "fields: {{value: double}}}}}}\n"
      "    - {{name: out, stage: write_mqtt, inputs: [in], options: {{port: {}, topic: u}}}}\n",
      broker_->port(), other->port());
  const auto probe = publisher();
  {
    const auto bridge = start(stages);
    EXPECT_TRUE(eventually([&] {
      publish(*probe, "t/x", R"({"value": 1})");
      return bridge->state().stages[1].used > 0;  // seen though no other item comes behind it
    }));
    EXPECT_TRUE(eventually([&] { return bridge->state().stages[0].unsettled == 0; }));
    other->kill();
    EXPECT_TRUE(eventually([&] { return bridge->state().state.find("the broker") != std::string::npos; }));
    const auto before = bridge->state().items;
    publish(*probe, "t/x", R"({"value": 2})");
    EXPECT_TRUE(eventually([&] { return bridge->state().items > before; }));
    EXPECT_GE(bridge->state().stages[0].unsettled, 1U);
    bridge->stop();
    expect_exact(bridge->state());
    EXPECT_GE(dropped(bridge->state(), 1)["stopped"], 1U);
  }
  ASSERT_TRUE(other->restart());
  const auto bridge = start(stages);
  EXPECT_TRUE(eventually([&] { return bridge->state().stages[1].used > 0; }));  // the same message again
  bridge->stop();
  expect_exact(bridge->state());
}

TEST_F(MqttTest, WhatCouldNotBeStoredIsAskedForAgainUntilItIs) {
  start_broker();
  const std::string options = "topics: [t/x], client_id: reader, clean_session: false, fields: {value: double}";
  const auto probe = publisher();
  {
    const auto in =
        start(fmt::format("    - {{name: in, stage: read_mqtt, options: {{port: {}, {}}}}}\n"
                          "    - {{name: out, stage: write_json, inputs: [in], options: {{path: /dev/full}}}}\n",
                          broker_->port(), options));
    EXPECT_TRUE(eventually([&] {
      if (in->state().items == 0) publish(*probe, "t/x", R"({"value": 7})");
      return !in->state().stages[1].stale.empty();
    }));
    in->stop();
    for (const auto& link : in->state().ledger) EXPECT_TRUE(link.balanced()) << link.link;
  }
  const auto in = reader(options);
  EXPECT_TRUE(eventually([&] { return values().contains(7); }));
  in->stop();
  expect_exact(in->state());
}

TEST_F(MqttTest, AStopDoesNotWaitForABrokerThatIsAway) {
  start_broker();
  broker_->kill();
  const auto out = writer("items: 100", "topic: t/x, in_flight: 10");
  EXPECT_TRUE(eventually([&] { return out->state().stages[1].consumed >= 10; }));
  out->stop();
  expect_exact(out->state());
  EXPECT_GE(dropped(out->state(), 1)["stopped"], 10U);
}

TEST_F(MqttTest, TlsWithCertificatesOfBothSides) {
  const auto ca = trust::CertificateAuthority::load_or_create(temp_->path() / "ca");
  ASSERT_TRUE(ca);
  const auto server = ca->issue_server("broker", {"127.0.0.1", "localhost"});
  const auto request = trust::make_request("edge");
  const auto certificate = ca->issue_client(request->request_pem, "edge");
  const auto write = [&](const char* name, const std::string& text) {
    EXPECT_TRUE(write_file_atomic(temp_->path() / name, text, 0600));
    return temp_->path() / name;
  };
  const Path ca_file = write("ca.pem", ca->certificate_pem());
  start_broker({.ca_file = ca_file,
                .certificate_file = write("server.pem", server->certificate_pem),
                .key_file = write("server-key.pem", server->key_pem)});
  const std::string mutual = fmt::format("tls: true, ca_file: '{}', certificate_file: '{}', key_file: '{}'", ca_file.string(),
                                         write("client.pem", *certificate).string(), write("client-key.pem", request->key_pem).string());
  {
    const auto in = reader("host: localhost, client_id: in, clean_session: false, topics: [t/x], fields: {value: double}, " + mutual);
    EXPECT_TRUE(
        eventually([&] { return broker_->log().find("Received SUBSCRIBE") != std::string::npos || in->state().state == "running"; }));
    const auto written = writer("items: 2000", "topic: t/x, retain: true, " + mutual);
    EXPECT_TRUE(eventually([&] { return written->finished(); }));
    EXPECT_EQ(written->state().stages[1].used, 2000U);
    EXPECT_TRUE(eventually([&] { return !values().empty(); }));
    in->stop();
    expect_exact(in->state());
  }
  const auto refused = [&](const std::string& options) {
    const auto in = reader("topics: [t/x], fields: {value: double}, " + options);
    EXPECT_TRUE(eventually([&] { return in->state().state.starts_with("stale"); }));
    const auto state = in->state().state;
    in->stop();
    return state;
  };
  const auto no_server = HasSubstr("expected a server that answers");
  EXPECT_THAT(refused("tls: true"), HasSubstr("the server's certificate"));                    // not of a CA that the system trusts
  EXPECT_THAT(refused(fmt::format("tls: true, ca_file: '{}'", ca_file.string())), no_server);  // and no certificate of its own
  EXPECT_THAT(refused("host: 127.0.0.1"), no_server);                                          // no TLS at all
}

TEST_F(MqttTest, APasswordComesFromAFileOrTheEnvironmentAndIsNeverShown) {
  const Path passwords = temp_->path() / "passwords";
  ProcessOptions make;
  make.arguments = {"mosquitto_passwd", "-b", "-c", passwords.string(), "me", "s3cret"};
  ASSERT_TRUE(run_and_capture(make, 10 * kSecond));
  start_broker({.more = "allow_anonymous false\npassword_file " + passwords.string() + "\n"});
  ASSERT_TRUE(write_file_atomic(temp_->path() / "password", "s3cret\n", 0600));
  ::setenv("MORU_TEST_PASSWORD", "wr0ng", 1);
  const auto written = writer("items: 10", fmt::format("topic: t/x, user: me, password_file: '{}'", (temp_->path() / "password").string()));
  EXPECT_TRUE(eventually([&] { return written->finished(); }));
  EXPECT_EQ(written->state().stages[1].used, 10U);
  const auto in = reader("topics: [t/x], fields: {value: double}, user: me, password_variable: MORU_TEST_PASSWORD");
  EXPECT_TRUE(eventually([&] { return in->state().state.starts_with("stale"); }));
  EXPECT_THAT(in->state().state, HasSubstr("not authorised"));
  EXPECT_THAT(in->state().state, Not(HasSubstr("wr0ng")));
  in->stop();
}

/// Memory of this process, kB.
std::size_t resident_kb() {
  const auto text = read_file("/proc/self/status").value_or("");
  const auto at = text.find("VmRSS:");
  return at == std::string::npos ? 0 : static_cast<std::size_t>(std::strtoul(text.c_str() + at + 6, nullptr, 10));
}

TEST_F(MqttTest, AHundredThousandTopicsTakeNoMemory) {
  start_broker();
  const auto probe = publisher();
  const auto in = start(
      fmt::format("    - {{name: in, stage: read_mqtt, options: {{port: {}, topics: ['t/{{device}}/x'], fields: {{value: double}}}}}}\n"
                  "    - {{name: out, stage: 'null', inputs: [in]}}\n",
                  broker_->port()));
  wait_until_subscribed(*in, *probe);
  const auto before = resident_kb();
  for (int i = 0; i < 100'000; ++i) publish(*probe, fmt::format("t/device-{}/x", i), R"({"value": 1})");
  EXPECT_TRUE(eventually([&] { return in->state().items > 100'000; }));
  // Sanitizers keep what has been freed.
  if (!MORU_SANITIZED) {
    EXPECT_LT(resident_kb(), before + 16'000);
  }
  in->stop();
  expect_exact(in->state());
}

TEST_F(MqttTest, ExamplesRunAtABroker) {
  start_broker();
  const auto with_port = [&](const char* stage, std::string_view port) {
    std::string text(find_stage(stage)->example);
    text.replace(text.find("host: 127.0.0.1"), 15, fmt::format("host: 127.0.0.1{}: {}", port, broker_->port()));
    return text;
  };
  testing::run_example(*find_stage("write_mqtt"), all_stages(), with_port("write_mqtt", ", port"));
  const auto probe = publisher();
  const std::jthread device([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) publish(*probe, "sensors/oven/temperature", R"({"value": 180.5})");
  });
  testing::run_example(*find_stage("read_mqtt"), all_stages(), with_port("read_mqtt", "\n        port"));
}

}  // namespace
}  // namespace moru::edge
