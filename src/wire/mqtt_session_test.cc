// SPDX-License-Identifier: Apache-2.0
// The session against a broker that does what the test says: what is answered, when, and what happens when a connection is lost.
#include "wire/mqtt_session.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>

namespace moru::wire::mqtt {
namespace {

using namespace std::string_view_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kPatienceMs = 30'000;

/// Listens on a free port; one connection at a time.
class ScriptedBroker {
 public:
  ScriptedBroker() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ScriptedBroker(const ScriptedBroker&) = delete;
  ScriptedBroker& operator=(const ScriptedBroker&) = delete;
  ~ScriptedBroker() {
    hang_up();
    ::close(listener_);
  }
  int port() const { return port_; }
  void accept() { peer_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); }
  void hang_up() {
    if (peer_ >= 0) ::close(peer_);
    peer_ = -1;
    in_.clear();
  }
  void send(std::string_view bytes) const {
    EXPECT_EQ(::send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  int fd() const { return peer_ >= 0 ? peer_ : listener_; }
  void receive() {
    std::array<char, 4096> bytes{};
    const ssize_t got = ::recv(peer_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got > 0) in_.append(bytes.data(), static_cast<std::size_t>(got));
  }
  /// The next whole packet that has come, if any.
  std::optional<std::string> packet() {
    const auto head = read_head(in_);
    if (!head || !*head || in_.size() < (*head)->size + (*head)->body) return std::nullopt;
    const auto size = (*head)->size + (*head)->body;
    auto bytes = in_.substr(0, size);
    in_.erase(0, size);
    return bytes;
  }

 private:
  int listener_;
  int peer_ = -1;
  int port_ = 0;
  std::string in_;
};

class MqttSession : public ::testing::Test, protected SessionListener {
 protected:
  void make(SessionOptions options = {}) {
    options.port = broker_.port();
    options.connect.version = Version::k311;
    auto session = Session::make(std::move(options), system_clock(), *this);
    ASSERT_TRUE(session);
    session_.emplace(std::move(*session));
  }
  static SessionOptions kept() { return {.connect = {.client_id = "c", .clean = false}, .subscriptions = {{.filter = "#", .qos = 2}}}; }
  /// Both sides go on until the broker has got a packet.
  std::string next_packet() {
    while (true) {
      if (auto packet = broker_.packet()) return *packet;
      if (!step()) return "nothing";
    }
  }
  bool step() {
    EXPECT_TRUE(session_->flush());
    std::array<pollfd, 2> entries = {{{.fd = session_->fd(), .events = session_->events(), .revents = 0},  //
                                      {.fd = broker_.fd(), .events = POLLIN, .revents = 0}}};
    if (::poll(entries.data(), entries.size(), kPatienceMs) <= 0) return false;
    if (entries[1].revents != 0) broker_.receive();
    const auto handled = session_->handle();
    EXPECT_TRUE(handled) << handled.error().message;
    return handled.has_value();
  }
  /// Until so many messages have been handed over.
  void wait_for_messages(std::size_t count) {
    while (messages_.size() < count && step()) continue;
    ASSERT_EQ(messages_.size(), count);
  }
  void connect(bool session_present = false) {
    ASSERT_TRUE(session_->connect());
    broker_.accept();
    EXPECT_EQ(next_packet().at(0), '\x10');
    broker_.send(session_present ? "\x20\x02\x01\0"sv : "\x20\x02\0\0"sv);
    if (!session_present) {
      EXPECT_EQ(next_packet().at(0), '\x82');
      broker_.send("\x90\x03\0\x01\x02"sv);
    }
    while (!session_->connected() && step()) continue;
  }
  void lose() {
    broker_.hang_up();
    auto handled = session_->handle();
    while (handled) {
      pollfd entry{.fd = session_->fd(), .events = POLLIN, .revents = 0};
      ::poll(&entry, 1, kPatienceMs);
      handled = session_->handle();
    }
    EXPECT_EQ(handled.error().code, ErrorCode::kUnavailable);
  }
  void send_message(std::uint16_t id, std::uint8_t qos, bool again = false) const {
    std::string packet;
    write_publish(Version::k311, {.topic = "t", .payload = "p" + std::to_string(id), .id = id, .qos = qos, .again = again}, packet);
    broker_.send(packet);
  }
  void on_message(const Message& message) override {
    messages_.emplace_back(message.payload);
    deliveries_.push_back(message.delivery);
  }
  void on_too_large(std::string_view topic, std::size_t bytes) override { too_large_.emplace_back(topic, bytes); }
  void on_published(std::uint64_t number, std::uint8_t) override { published_.push_back(number); }
  /// What the broker has got and nobody has looked at.
  std::vector<std::string> rest() {
    EXPECT_TRUE(session_->flush());
    session_->publish("end", "", 0, false);
    EXPECT_TRUE(session_->flush());
    std::vector<std::string> packets;
    while (true) {
      auto packet = next_packet();
      if (packet.at(0) == '\x30') return packets;
      packets.push_back(std::move(packet));
    }
  }

  ScriptedBroker broker_;
  std::optional<Session> session_;
  std::vector<std::string> messages_;
  std::vector<std::uint64_t> deliveries_;
  std::vector<std::pair<std::string, std::size_t>> too_large_;
  std::vector<std::uint64_t> published_;
};

TEST_F(MqttSession, AnswersOnlyWhatIsStoredAndInTheOrderOfArrival) {
  make(kept());
  connect();
  for (const std::uint16_t id : {std::uint16_t{5}, std::uint16_t{6}, std::uint16_t{7}}) send_message(id, 1);
  wait_for_messages(3);
  EXPECT_THAT(rest(), IsEmpty());
  session_->acknowledge(deliveries_[2]);
  session_->acknowledge(deliveries_[1]);
  EXPECT_THAT(rest(), IsEmpty());  // the first is not stored yet
  session_->acknowledge(deliveries_[0]);
  EXPECT_THAT(rest(), ElementsAre("\x40\x02\0\x05"sv, "\x40\x02\0\x06"sv, "\x40\x02\0\x07"sv));
}

TEST_F(MqttSession, AMessageThatComesAgainWhileItIsOnItsWayIsHandedOverOnce) {
  make(kept());
  connect();
  send_message(5, 1);
  send_message(6, 1);
  wait_for_messages(2);
  lose();
  session_->acknowledge(deliveries_[0]);  // stored while there is no connection
  connect(/*session_present=*/true);
  EXPECT_THAT(rest(), IsEmpty());
  send_message(5, 1, /*again=*/true);
  send_message(6, 1, true);
  send_message(7, 1);
  wait_for_messages(3);
  EXPECT_EQ(messages_.back(), "p7");
  EXPECT_THAT(rest(), ElementsAre("\x40\x02\0\x05"sv));
  session_->acknowledge(deliveries_[1]);
  session_->acknowledge(deliveries_[2]);
  EXPECT_THAT(rest(), ElementsAre("\x40\x02\0\x06"sv, "\x40\x02\0\x07"sv));
  EXPECT_EQ(session_->unacknowledged(), 0U);
}

TEST_F(MqttSession, WhatIsGivenBackIsHandedOverAnewAndWhatTheBrokerForgotHoldsNobodyUp) {
  make(kept());
  connect();
  for (const std::uint16_t id : {std::uint16_t{5}, std::uint16_t{6}}) send_message(id, 1);
  wait_for_messages(2);
  session_->give_back(deliveries_[1]);
  lose();
  connect(true);
  send_message(6, 1, true);  // 5 has expired at the broker
  wait_for_messages(3);
  EXPECT_EQ(messages_.back(), "p6");
  session_->acknowledge(deliveries_[2]);
  EXPECT_THAT(rest(), ElementsAre("\x40\x02\0\x06"sv));
  session_->acknowledge(deliveries_[0]);  // of long ago
  EXPECT_THAT(rest(), IsEmpty());
}

TEST_F(MqttSession, ANewSessionForgetsWhatTheOldOneOwed) {
  make(kept());
  connect();
  send_message(5, 1);
  wait_for_messages(1);
  lose();
  connect(/*session_present=*/false);
  session_->acknowledge(deliveries_[0]);
  EXPECT_THAT(rest(), IsEmpty());
  send_message(5, 1);
  wait_for_messages(2);
  session_->acknowledge(deliveries_[1]);
  EXPECT_THAT(rest(), ElementsAre("\x40\x02\0\x05"sv));
}

TEST_F(MqttSession, Qos2IsHandedOverOnceHoweverOftenItComes) {
  make(kept());
  connect();
  send_message(9, 2);
  wait_for_messages(1);
  EXPECT_THAT(rest(), IsEmpty());
  session_->acknowledge(deliveries_[0]);
  EXPECT_THAT(rest(), ElementsAre("\x50\x02\0\x09"sv));
  lose();
  connect(true);
  send_message(9, 2, true);  // PUBREC was lost
  EXPECT_EQ(next_packet(), "\x50\x02\0\x09"sv);
  broker_.send("\x62\x02\0\x09"sv);
  EXPECT_EQ(next_packet(), "\x70\x02\0\x09"sv);
  EXPECT_EQ(messages_.size(), 1U);
}

TEST_F(MqttSession, SendsAgainWhatHasNoAnswer) {
  make();
  ASSERT_TRUE(session_->connect());
  broker_.accept();
  EXPECT_EQ(next_packet().at(0), '\x10');
  broker_.send("\x20\x02\0\0"sv);
  EXPECT_EQ(session_->publish("t", "a", 1, false), 1U);
  EXPECT_EQ(session_->publish("t", "b", 1, false), 2U);
  EXPECT_EQ(next_packet(),
            "\x32\x06\0\x01t\0\x01"
            "a"sv);
  EXPECT_EQ(next_packet().at(0), '\x32');
  broker_.send("\x40\x02\0\x02"sv);
  while (published_.empty() && step()) continue;
  EXPECT_THAT(published_, ElementsAre(2));
  lose();
  EXPECT_EQ(session_->publish("t", "c", 1, false), 3U);
  ASSERT_TRUE(session_->connect());
  broker_.accept();
  EXPECT_EQ(next_packet().at(0), '\x10');
  broker_.send("\x20\x02\0\0"sv);
  EXPECT_EQ(next_packet(),
            "\x3A\x06\0\x01t\0\x01"
            "a"sv);  // DUP
  EXPECT_EQ(next_packet(),
            "\x32\x06\0\x01t\0\x03"
            "c"sv);
  broker_.send("\x40\x02\0\x03\x40\x02\0\x01\x40\x02\0\x01"sv);  // one of them twice
  while (session_->unanswered() > 0 && step()) continue;
  EXPECT_THAT(published_, ElementsAre(2, 3, 1));
}

TEST_F(MqttSession, AMessageThatIsTooLargeIsSkippedWithoutBeingHeldAndAcknowledged) {
  auto options = kept();
  options.largest_packet = 1000;
  make(std::move(options));
  connect();
  std::string large;
  write_publish(Version::k311, {.topic = "big", .payload = std::string(200'000, 'x'), .id = 3, .qos = 1}, large);
  broker_.send(large);
  send_message(4, 1);
  wait_for_messages(1);
  EXPECT_THAT(too_large_, ElementsAre(std::pair("big", large.size())));
  EXPECT_THAT(rest(), ElementsAre("\x40\x02\0\x03"sv));
}

TEST_F(MqttSession, NonsenseEndsTheConnectionWithWords) {
  const auto said = [&](std::string_view bytes) {
    make(kept());
    EXPECT_TRUE(session_->connect());
    broker_.accept();
    EXPECT_EQ(next_packet().at(0), '\x10');
    broker_.send(bytes);
    auto handled = session_->handle();
    while (handled) {
      pollfd entry{.fd = session_->fd(), .events = POLLIN, .revents = 0};
      ::poll(&entry, 1, kPatienceMs);
      handled = session_->handle();
    }
    broker_.hang_up();
    EXPECT_EQ(handled.error().code, ErrorCode::kUnavailable);
    return handled.error().message;
  };
  EXPECT_THAT(said("\x20\x02\0\x05"sv), HasSubstr("refused the connection: not authorised"));
  EXPECT_THAT(said("\x01\x02"sv), HasSubstr("type 0"));
  EXPECT_THAT(said("\x30\x03\0\x01t"sv), HasSubstr("before it had accepted"));
  EXPECT_THAT(said("\x20\x02\0\0\x90\x03\0\x01\x80"sv), HasSubstr("refused the subscription to '#'"));
  EXPECT_THAT(said("\x20\x02\0\0\x20\x02\0\0"sv), HasSubstr("after it had accepted"));
  EXPECT_THAT(said("\x20\xFF\xFF\xFF\x7F"sv), HasSubstr("expected less"));
}

}  // namespace
}  // namespace moru::wire::mqtt
