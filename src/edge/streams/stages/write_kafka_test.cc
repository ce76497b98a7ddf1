// SPDX-License-Identifier: Apache-2.0
// The sink write_kafka, with the brokers that librdkafka brings for tests.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <map>
#include <set>

#include "core/json.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using testing::Caught;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Received {
  std::string key;
  std::string value;
  std::map<std::string, std::string> headers;
  std::int64_t time_ms = 0;
  std::int32_t partition = 0;
};

/// A cluster of one broker in this process.
class MockKafka {
 public:
  MockKafka() {
    client_ = make(RD_KAFKA_PRODUCER, {});
    cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    rd_kafka_mock_topic_create(cluster_, "readings", 4, 1);
  }
  MockKafka(const MockKafka&) = delete;
  MockKafka& operator=(const MockKafka&) = delete;
  ~MockKafka() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }
  std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  void set_down() { rd_kafka_mock_broker_set_down(cluster_, 1); }
  void set_up() { rd_kafka_mock_broker_set_up(cluster_, 1); }
  /// The next `count` requests of a producer fail so.
  void fail_produce(std::size_t count, rd_kafka_resp_err_t error) {
    for (std::size_t i = 0; i < count; ++i) rd_kafka_mock_push_request_errors(cluster_, 0, 1, error);
  }
  /// `count` messages of the topic, from its beginning.
  std::vector<Received> read(std::size_t count) const {
    rd_kafka_t* const consumer =
        make(RD_KAFKA_CONSUMER,
             {{"bootstrap.servers", brokers()}, {"group.id", "test"}, {"enable.auto.commit", "false"}, {"auto.offset.reset", "earliest"}});
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t* const parts = rd_kafka_topic_partition_list_new(4);
    for (int i = 0; i < 4; ++i) rd_kafka_topic_partition_list_add(parts, "readings", i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, parts);
    rd_kafka_topic_partition_list_destroy(parts);
    std::vector<Received> received;
    const TimeNs deadline = system_clock().steady_now() + 30 * kSecond;
    while (received.size() < count && system_clock().steady_now() < deadline) {
      rd_kafka_message_t* const message = rd_kafka_consumer_poll(consumer, 100);
      if (message == nullptr) continue;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) received.push_back(read_one(*message));
      rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy(consumer);
    return received;
  }

 private:
  static rd_kafka_t* make(rd_kafka_type_t type, const std::vector<std::pair<std::string, std::string>>& settings) {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    char why[256];
    for (const auto& [name, value] : settings)
      EXPECT_EQ(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why), RD_KAFKA_CONF_OK) << why;
    rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
    rd_kafka_t* const client = rd_kafka_new(type, conf, why, sizeof why);
    EXPECT_NE(client, nullptr) << why;
    return client;
  }
  static Received read_one(const rd_kafka_message_t& message) {
    Received one{.key = std::string(static_cast<const char*>(message.key), message.key_len),
                 .value = std::string(static_cast<const char*>(message.payload), message.len),
                 .headers = {},
                 .time_ms = rd_kafka_message_timestamp(&message, nullptr),
                 .partition = message.partition};
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return one;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i)
      one.headers[name] = std::string(static_cast<const char*>(value), size);
    return one;
  }

  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

class WriteKafkaTest : public ::testing::Test {
 protected:
  std::unique_ptr<Stage> open(const std::string& more = "") {
    auto stage = testing::make_stage("write_kafka",
                                     fmt::format("{{brokers: '{}', topic: readings, key: device, node: n1{}}}", kafka_.brokers(), more));
    EXPECT_TRUE(stage) << stage.error().message;
    Schema input;
    input.set({.name = "device", .type = FieldType::kText});
    input.set({.name = "value", .type = FieldType::kDouble});
    EXPECT_TRUE((*stage)->bind(std::span(&input, 1)));
    const auto status = (*stage)->open(context());
    EXPECT_TRUE(status) << status.error().message;
    return std::move(*stage);
  }
  StageContext context() { return {.clock = &clock_, .resources = {}, .stream = "line", .stop = {}}; }
  static Item item(std::uint64_t sequence, const std::string& device = "oven") {
    Item made;
    made.sequence = sequence;
    made.event_time = 1'700'000'000'123 * kMillisecond;
    made.set("device", device);
    made.set("value", 1.5);
    return made;
  }

  MockKafka kafka_;
  FakeClock clock_;
  Caught caught_;
};

TEST_F(WriteKafkaTest, AMessageHasWhatTheItemHas) {
  const auto stage = open();
  ASSERT_TRUE(stage->process(item(7), caught_));
  const auto status = stage->flush(caught_);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(caught_.used_items, 1U);
  const auto received = kafka_.read(1);
  ASSERT_EQ(received.size(), 1U);
  EXPECT_EQ(received[0].key, "oven");
  EXPECT_THAT(received[0].value, ::testing::StartsWith(R"({"seq":7,"time":1700000000123000000,"device":"oven","value":1.5,)"));
  EXPECT_EQ(received[0].headers, (std::map<std::string, std::string>{{"node", "n1"}, {"stream", "line"}, {"seq", "7"}}));
  EXPECT_EQ(received[0].time_ms, 1'700'000'000'123);
}

TEST_F(WriteKafkaTest, MessagesOfAKeyStayInOrderAndNoneIsLostWhenARequestFails) {
  const auto stage = open(", compression: lz4");
  kafka_.fail_produce(2, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  for (std::uint64_t i = 1; i <= 200; ++i) ASSERT_TRUE(stage->process(item(i, fmt::format("d{}", i % 5)), caught_));
  const auto status = stage->flush(caught_);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(stage->held(), 0U);
  std::map<std::string, int> last;
  std::set<int> seen;
  for (const auto& one : kafka_.read(200)) {
    const int sequence = std::stoi(one.headers.at("seq"));
    EXPECT_GT(sequence, last[one.key]);
    last[one.key] = sequence;
    seen.insert(sequence);
  }
  EXPECT_EQ(seen.size(), 200U);
}

TEST_F(WriteKafkaTest, WhatNoBrokerStoresStaysAndIsSentWhenThereIsOne) {
  const auto patient = open();  // a slow machine may take more than the other one's time to meet the broker
  ASSERT_TRUE(patient->process(item(1), caught_));
  ASSERT_TRUE(patient->flush(caught_));
  kafka_.set_down();
  const auto stage = open(", timeout_s: 0.5");
  ASSERT_TRUE(stage->process(item(2), caught_));
  const auto status = stage->flush(caught_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(status.error().message, HasSubstr("expected brokers that store the message"));
  EXPECT_EQ(stage->held(), 1U);
  ASSERT_TRUE(stage->close());
  kafka_.set_up();
  for (int i = 0; stage->held() > 0 && i < 50; ++i) {
    ASSERT_TRUE(stage->open(context()));
    if (!stage->flush(caught_)) {
      ASSERT_TRUE(stage->close());
    }
  }
  EXPECT_EQ(caught_.used_items, 2U);
  const auto received = kafka_.read(2);
  ASSERT_EQ(received.size(), 2U);
  EXPECT_EQ(received[1].headers.at("seq"), "2");
}

TEST_F(WriteKafkaTest, AMessageThatIsTooLargeIsDroppedAloneAndTheRestIsStored) {
  const auto stage = open(", settings: {message.max.bytes: '2000'}");
  for (std::uint64_t i = 1; i <= 10; ++i) ASSERT_TRUE(stage->process(item(i, i == 4 ? std::string(5000, 'x') : "d"), caught_));
  const auto status = stage->flush(caught_);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_THAT(caught_.reasons, ElementsAre("refused"));
  EXPECT_EQ(caught_.used_items, 9U);
  std::set<std::string> seen;
  for (const auto& one : kafka_.read(9)) seen.insert(one.headers.at("seq"));
  EXPECT_EQ(seen.size(), 9U);
  EXPECT_FALSE(seen.contains("4"));
}

TEST_F(WriteKafkaTest, MistakesAreFoundBeforeAnythingRuns) {
  const auto mistake = [&](const std::string& more) {
    const auto stage = testing::make_stage("write_kafka", "{brokers: 'x:1', topic: t" + more + "}");
    if (!stage) return stage.error().message;
    const Status opened = (*stage)->open(context());
    return opened ? std::string() : opened.error().message;
  };
  EXPECT_EQ(mistake(""), "");
  EXPECT_THAT(mistake(", settings: {sasl.password: x}"), HasSubstr("for which there is no option"));
  EXPECT_THAT(mistake(", settings: {bootstrap.servers: x}"), HasSubstr("for which there is no option"));
  EXPECT_THAT(mistake(", settings: {linger: '1'}"), HasSubstr("setting 'linger'"));
  EXPECT_THAT(mistake(", password_variable: MORU_NO_SUCH_VARIABLE"), HasSubstr("found no variable 'MORU_NO_SUCH_VARIABLE'"));
}

TEST_F(WriteKafkaTest, TheExampleRuns) {
  std::string example(find_stage("write_kafka")->example);
  const std::string_view there = "kafka.example:9092";
  ASSERT_TRUE(example.contains(there));
  example.replace(example.find(there), there.size(), kafka_.brokers());
  testing::run_example(*find_stage("write_kafka"), all_stages(), example);
  EXPECT_EQ(kafka_.read(300).size(), 300U);
}

}  // namespace
}  // namespace moru::edge
