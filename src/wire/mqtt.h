// SPDX-License-Identifier: Apache-2.0
// The MQTT client of hub and nodes: mutual TLS, version 3.1.1, reconnects by itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/result.h"

namespace moru::wire {

struct MqttOptions {
  std::string host = "127.0.0.1";
  int port = 0;
  std::string client_id;
  Path ca_file;            ///< PEM
  Path certificate_file;   ///< PEM
  Path key_file;           ///< PEM
  std::string will_topic;  ///< empty: no last will
  std::string will_payload;
  std::vector<std::string> subscriptions;  ///< renewed at every connection, QoS 1
  /// Called on the client's thread; must be quick and may publish.
  std::function<void(std::string_view topic, std::string_view payload)> on_message;
  std::function<void(bool connected, std::string_view reason)> on_connection;
};

/// Threads: publish() from any thread. Callbacks come one at a time from a thread of the client's own.
class MqttClient {
 public:
  /// Starts connecting in the background and keeps trying (back-off 0.1 s to 5 s) until it is destroyed.
  static Result<std::unique_ptr<MqttClient>> start(MqttOptions options);
  ~MqttClient();
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;
  bool connected() const;
  /// Hands the message to the network; kUnavailable when not connected (nothing is queued: what must not be lost lives
  /// in an outbox and is sent again).
  Status publish(const std::string& topic, std::string_view payload, int qos, bool retain);

 private:
  MqttClient();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace moru::wire
