// SPDX-License-Identifier: Apache-2.0
#include "wire/mqtt_packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moru::wire::mqtt {
namespace {

using namespace std::string_view_literals;
using ::testing::HasSubstr;

/// The one packet that `bytes` are.
Head head_of(std::string_view bytes) {
  const auto head = read_head(bytes);
  EXPECT_TRUE(head && *head);
  EXPECT_EQ((*head)->size + (*head)->body, bytes.size());
  return **head;
}

TEST(MqttPacket, PublishIsWrittenAsTheStandardShowsIt) {
  std::string out;
  write_publish(Version::k311, {.topic = "a/b", .payload = "hi", .id = 10, .qos = 1}, out);
  EXPECT_EQ(out,
            "\x32\x09\0\x03"
            "a/b\0\x0Ahi"sv);  // 3.1.1, section 3.3.2.4
  out.clear();
  write_publish(Version::k5, {.topic = "a/b", .payload = "hi", .qos = 0, .retain = true}, out);
  EXPECT_EQ(out,
            "\x31\x08\0\x03"
            "a/b\0hi"sv);
}

TEST(MqttPacket, ConnectCarriesUserPasswordAndSession) {
  std::string out;
  write_connect({.version = Version::k311, .client_id = "c", .clean = false, .keep_alive_s = 60, .user = "u", .password = "p"}, out);
  EXPECT_EQ(out,
            "\x10\x13\0\x04MQTT\x04\xC0\0\x3C\0\x01"
            "c\0\x01u\0\x01p"sv);
  out.clear();
  write_connect({.version = Version::k5, .client_id = "", .session_expiry_s = 3600, .receive_maximum = 100}, out);
  EXPECT_EQ(out, "\x10\x15\0\x04MQTT\x05\x02\0\x3C\x08\x11\0\0\x0E\x10\x21\0\x64\0\0"sv);
}

TEST(MqttPacket, PublishComesBackAsItWasWritten) {
  for (const Version version : {Version::k311, Version::k5}) {
    for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}}) {
      std::string out;
      const std::string payload(300, '\xFF');
      write_publish(version, {.topic = "t", .payload = payload, .id = static_cast<std::uint16_t>(qos == 0 ? 0 : 513), .qos = qos}, out);
      if (qos > 0) mark_again(out);
      const Head head = head_of(out);
      EXPECT_EQ(head.type, PacketType::kPublish);
      const auto publish = read_publish(version, head.flags, std::string_view(out).substr(head.size));
      ASSERT_TRUE(publish) << publish.error().message;
      EXPECT_EQ(publish->topic, "t");
      EXPECT_EQ(publish->payload, payload);
      EXPECT_EQ(publish->qos, qos);
      EXPECT_EQ(publish->id, qos == 0 ? 0 : 513);
      EXPECT_EQ(publish->again, qos > 0);
    }
  }
}

TEST(MqttPacket, HeadNeedsItsBytesAndRefusesWhatIsNone) {
  EXPECT_FALSE(*read_head(""));
  EXPECT_FALSE(*read_head("\x30"));
  EXPECT_FALSE(*read_head("\x30\x80\x80"));
  EXPECT_EQ((*read_head("\x30\xFF\xFF\xFF\x7F"sv))->body, 268'435'455U);
  EXPECT_THAT(read_head("\x30\xFF\xFF\xFF\xFF"sv).error().message, HasSubstr("more than 4 bytes"));
  EXPECT_FALSE(read_head("\0\0"sv));
}

TEST(MqttPacket, ConnackTellsTheBrokersLimits) {
  const auto old = read_connack(Version::k311, "\x01\0"sv);
  ASSERT_TRUE(old);
  EXPECT_TRUE(old->session_present);
  const auto ack = read_connack(Version::k5, "\0\x87\x10\x21\0\x14\x27\0\0\x10\0\x13\0\x0A\x1F\0\x02no"sv);
  ASSERT_TRUE(ack) << ack.error().message;
  EXPECT_EQ(ack->code, 0x87);
  EXPECT_EQ(ack->receive_maximum, 20);
  EXPECT_EQ(ack->maximum_packet, 4096U);
  EXPECT_EQ(ack->keep_alive_s, 10);
  EXPECT_EQ(ack->reason, "no");
  EXPECT_EQ(reason_words(Version::k5, ack->code), "not authorised");
  EXPECT_EQ(reason_words(Version::k311, 4), "bad user name or password");
}

TEST(MqttPacket, WhatIsCutShortOrWrongIsRefused) {
  EXPECT_FALSE(read_connack(Version::k311, "\0"sv));
  EXPECT_FALSE(read_connack(Version::k5, "\0\0"sv));
  EXPECT_FALSE(read_connack(Version::k5, "\0\0\x03\x21\0\0"sv));       // nothing may be unanswered
  EXPECT_FALSE(read_connack(Version::k5, "\0\0\x02\xEE\0"sv));         // no such property
  EXPECT_FALSE(read_publish(Version::k311, 0x06, "\0\x01t\0\x01"sv));  // QoS 3
  EXPECT_FALSE(read_publish(Version::k311, 0x02, "\0\x01t\0\0"sv));    // id 0
  EXPECT_FALSE(read_publish(Version::k311, 0, "\0\0"sv));
  EXPECT_FALSE(read_publish(Version::k311, 0,
                            "\0\x02"
                            "a+"sv));
  EXPECT_FALSE(read_publish(Version::k311, 0, "\0\x05t"sv));
  EXPECT_FALSE(read_publish(Version::k5, 0, "\0\x01t\x03\x23\0\x01"sv));  // an alias that nobody asked for
  EXPECT_FALSE(read_publish(Version::k5, 0, "\0\x01t\x7F"sv));
  EXPECT_FALSE(read_ack(Version::k311, PacketType::kPubAck, "\0"sv));
  EXPECT_FALSE(read_suback(Version::k311, "\0\x01"sv));
}

TEST(MqttPacket, TheStartOfALargePublishSaysWhereItBelongs) {
  EXPECT_FALSE(*read_publish_start(0x02, "\0\x01t\0"sv));
  const auto start = read_publish_start(0x02, "\0\x01t\0\x07 and so on"sv);
  ASSERT_TRUE(start && *start);
  EXPECT_EQ((*start)->topic, "t");
  EXPECT_EQ((*start)->id, 7);
}

TEST(MqttPacket, TopicsAndFiltersHaveTheirWildcardsWhereTheyBelong) {
  EXPECT_TRUE(is_topic("a/b c/d"));
  EXPECT_FALSE(is_topic(""));
  EXPECT_FALSE(is_topic("a/+"));
  EXPECT_FALSE(is_topic("a\0b"sv));
  EXPECT_FALSE(is_topic(std::string(65'536, 'a')));
  for (const auto* good : {"#", "+", "a/+/b", "+/+", "a/#", "/", "$share/g/a/+"}) EXPECT_TRUE(is_filter(good)) << good;
  for (const auto* bad : {"", "a+", "+a/b", "a#", "a/#/b", "#/a", "a/b#"}) EXPECT_FALSE(is_filter(bad)) << bad;
}

}  // namespace
}  // namespace moru::wire::mqtt
