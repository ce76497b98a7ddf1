// SPDX-License-Identifier: Apache-2.0
// What the stages that speak MQTT have in common: how to reach a broker, and topics with fields in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "edge/streams/item.h"
#include "edge/streams/secret.h"
#include "wire/mqtt_session.h"

namespace moru::edge {

/// Reads the options of a connection.
class MqttOptionsReader {
 public:
  void read(ConfigReader& reader);
  /// Checks what belongs together. The password is read when the stage opens (read_password): a file may change.
  Result<wire::mqtt::SessionOptions> finish(const ConfigObject& object) const;
  /// From its file or variable into `options`. Errors: they name the file or variable, never what is in it.
  Status read_password(wire::mqtt::SessionOptions& options) const;
  bool has_client_id() const { return !client_id_.empty(); }

 private:
  std::string host_ = "127.0.0.1";
  std::int64_t port_ = 0;
  std::string version_ = "5";
  std::string client_id_;
  std::int64_t keep_alive_s_ = 60;
  std::string user_;
  Secret password_;
  bool tls_ = false;
  std::string ca_file_;
  std::string certificate_file_;
  std::string key_file_;
};

/// A topic in which {NAME} stands for a field: "sensors/{device}/temperature". To read, it may have wildcards, and {NAME} is a whole
/// level; to write, a level may have several.
class MqttTopic {
 public:
  static Result<MqttTopic> to_read(std::string_view pattern, std::string_view where);
  static Result<MqttTopic> to_write(std::string_view pattern, std::string_view where);
  const std::string& pattern() const { return pattern_; }
  /// "sensors/+/temperature"
  std::string filter() const;
  std::vector<FieldName> fields() const;
  /// Puts the topic's parts into the item as texts; false, and the item as it was, when it is another topic.
  bool read(std::string_view topic, Item& item) const;
  /// The topic for an item; "" or why there is none ("no field for the topic", "bad field for the topic").
  std::string_view write(const Item& item, std::string& topic) const;

 private:
  /// A level to read, or a piece to write.
  struct Part {
    std::string text;                ///< as it stands; "+" and "#" are wildcards
    std::optional<FieldName> field;  ///< in place of it
  };
  std::string pattern_;
  std::string share_;  ///< "$share/GROUP/", which is no part of the topics that come
  std::vector<Part> parts_;
};

}  // namespace moru::edge
