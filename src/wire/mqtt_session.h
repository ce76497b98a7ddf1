// SPDX-License-Identifier: Apache-2.0
// An MQTT client's session: it outlives its connections, and acknowledges a message only when it is told to. No thread and no waiting of
// its own: whoever owns it polls.
//
//   source:  wait for events() on fd(), then handle(); on_message() hands a message over; acknowledge() once it is stored, in any order:
//   the
//            broker gets the acknowledgements in the order in which it sent the messages, as the standard wants it (3.1.1, 4.6).
//   sink:    publish(); on_published() when the broker has answered.
//
// After a connection is lost, connect() again: QoS 1 messages without an answer are sent again, marked so; messages that the broker sends
// again, and that are still with whoever got them, are not handed over a second time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "wire/connection.h"
#include "wire/mqtt_deliveries.h"
#include "wire/mqtt_packet.h"

namespace moru::wire::mqtt {

struct SessionOptions {
  std::string host = "127.0.0.1";
  int port = 1883;
  TlsOptions tls = {};
  Connect connect = {};
  std::size_t largest_packet = std::size_t{1} << 20U;  ///< bytes of an incoming one that are held; a larger one is skipped
  std::vector<Subscription> subscriptions = {};        ///< made at each connection, unless the broker has kept the session
};

struct Message {
  std::string_view topic = {};
  std::string_view payload = {};
  std::uint64_t delivery = 0;  ///< for acknowledge(); 0 with QoS 0
  bool retained = false;
  bool again = false;  ///< the broker sent it before
};

/// Called from within handle() and publish().
class SessionListener {
 public:
  virtual ~SessionListener() = default;
  virtual void on_message(const Message& message) { static_cast<void>(message); }
  /// A message of so many bytes was skipped; it is acknowledged, or it would come for ever.
  virtual void on_too_large(std::string_view topic, std::size_t bytes) {
    static_cast<void>(topic);
    static_cast<void>(bytes);
  }
  /// The broker's answer to the message of QoS 1 that publish() numbered so: below 0x80 it has taken it.
  virtual void on_published(std::uint64_t number, std::uint8_t code) {
    static_cast<void>(number);
    static_cast<void>(code);
  }
};

class Session {
 public:
  /// Reads the certificates. `clock` and `listener` are borrowed.
  static Result<Session> make(SessionOptions options, Clock& clock, SessionListener& listener);

  /// Begins a connection in place of the one that is. Looks up the host's name, which may wait.
  Status connect();
  bool connecting() const { return connection_.has_value(); }
  /// The broker has accepted the connection and every subscription.
  bool connected() const { return connected_; }
  /// Of a connection: -1 without one.
  int fd() const { return connection_ ? connection_->fd() : -1; }
  short events() const { return connection_ ? connection_->events() : static_cast<short>(0); }
  /// When handle() wants to be called though nothing has come (monotonic).
  TimeNs deadline() const;
  /// Reads what has come, at most one buffer full, and writes what can be written. True: there may be more to read, do not poll.
  /// Errors (kUnavailable): the connection is lost, or the broker will not have this client; its words are in the message.
  Result<bool> handle();
  /// Writes what waits, says good-bye and closes; waits for the broker to close, too, at most 1 s. The session's state stays.
  void disconnect();

  /// The message is stored: see Deliveries.
  void acknowledge(std::uint64_t delivery) { deliveries_.acknowledge(delivery, out_); }
  void give_back(std::uint64_t delivery) { deliveries_.give_back(delivery); }
  /// Messages that were handed over and are not acknowledged.
  std::size_t unacknowledged() const { return deliveries_.size(); }

  /// QoS 1: its number, from 1. QoS 0: 0; the bytes are handed on, or, without a connection, gone. `topic` and sizes were checked
  /// (is_topic, largest_payload).
  std::uint64_t publish(std::string_view topic, std::string_view payload, std::uint8_t qos, bool retain);
  /// Messages of QoS 1 that the broker has not answered; at most 65,535 of them.
  std::size_t unanswered() const { return outgoing_.size(); }
  /// Bytes that the socket has not taken.
  std::size_t unwritten() const { return out_.size() + (connection_ ? connection_->unwritten() : 0); }
  /// Writes what publish() and acknowledge() have made ready.
  Status flush();
  /// What a payload under that topic may have, as the broker says.
  std::size_t largest_payload(std::string_view topic) const;
  /// "127.0.0.1:1883"
  std::string broker() const;

 private:
  struct Outgoing {
    std::string packet;
    bool answered = false;
    bool sent = false;  ///< by some connection
  };

  Session(SessionOptions options, Clock& clock, SessionListener& listener, TlsContext tls);
  std::unexpected<Error> broken(std::string_view why) const;
  Result<bool> work();
  void drop_connection();
  Status greet();
  Result<bool> read();
  void make_room(std::size_t packet);
  Status handle_packets();
  Status handle_packet(const Head& head, std::string_view body);
  Result<std::size_t> skip(const Head& head, std::string_view start);
  Status on_connack(std::string_view body);
  Status on_suback(std::string_view body);
  Status on_publish(const Publish& publish, std::size_t too_large);
  void on_answer(std::uint16_t id, std::uint8_t code);
  void send_outgoing();
  Status keep_alive();

  SessionOptions options_;
  Clock* clock_;
  SessionListener* listener_;
  TlsContext tls_;
  std::optional<Connection> connection_;
  bool greeted_ = false;     // CONNECT was sent
  bool accepted_ = false;    // CONNACK has come
  bool connected_ = false;   // and SUBACK
  bool subscribed_ = false;  // by an earlier connection, in a session that the broker was to keep
  TimeNs began_ = 0;         // monotonic
  TimeNs last_sent_ = 0;
  TimeNs pinged_ = 0;  // 0: no answer is owed
  TimeNs keep_alive_ = 0;
  std::size_t broker_maximum_packet_ = UINT32_MAX;
  std::uint16_t broker_receive_maximum_ = 65'535;

  std::vector<char> in_;  // what has come, from in_head_ to in_tail_
  std::size_t in_head_ = 0;
  std::size_t in_tail_ = 0;
  std::size_t skip_ = 0;  // bytes to come that nobody wants
  std::string out_;

  Deliveries deliveries_;
  std::deque<Outgoing> outgoing_;
  std::uint64_t first_outgoing_ = 1;
  std::size_t unsent_ = 0;   // index in outgoing_ of the first that this connection has not sent
  std::size_t on_wire_ = 0;  // sent and not answered
};

}  // namespace moru::wire::mqtt
