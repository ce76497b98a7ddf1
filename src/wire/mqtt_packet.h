// SPDX-License-Identifier: Apache-2.0
// MQTT's packets as bytes (OASIS standards, versions 3.1.1 and 5.0): what a client writes, and what it reads. Pure functions: no socket, no
// clock. What is read comes from outside: every length is checked against the bytes that are there, and views lie in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace moru::wire::mqtt {

enum class Version : std::uint8_t { k311 = 4, k5 = 5 };  ///< the protocol level of CONNECT

enum class PacketType : std::uint8_t {
  kConnect = 1,
  kConnAck,
  kPublish,
  kPubAck,
  kPubRec,
  kPubRel,
  kPubComp,
  kSubscribe,
  kSubAck,
  kUnsubscribe,
  kUnsubAck,
  kPingReq,
  kPingResp,
  kDisconnect,
  kAuth,
};
std::string_view to_string(PacketType type);

/// What a code of CONNACK, SUBACK, PUBACK, ... means, in words.
std::string_view reason_words(Version version, std::uint8_t code);

inline constexpr std::size_t kLongestText = 65'535;
/// Topic, packet id and their lengths: as many of a PUBLISH's first bytes say where it belongs.
inline constexpr std::size_t kPublishStart = 2 + kLongestText + 2;

struct Head {
  PacketType type = PacketType::kConnect;
  std::uint8_t flags = 0;
  std::size_t size = 0;  ///< of the head, bytes
  std::size_t body = 0;  ///< behind it, bytes
};
/// The head of the packet that `bytes` begins with; nothing when more bytes are needed. Errors: no packet begins so.
Result<std::optional<Head>> read_head(std::string_view bytes);

struct ConnAck {
  bool session_present = false;
  std::uint8_t code = 0;
  std::uint16_t receive_maximum = 65'535;  ///< PUBLISH of QoS 1 that the broker holds unanswered
  std::uint8_t maximum_qos = 2;
  std::uint32_t maximum_packet = UINT32_MAX;                 ///< bytes
  std::optional<std::uint16_t> keep_alive_s = std::nullopt;  ///< what the broker asks for instead
  std::string_view client_id = {};                           ///< what the broker called a client without a name
  std::string_view reason = {};                              ///< the broker's own words
};
struct Publish {
  std::string_view topic = {};
  std::string_view payload = {};
  std::uint16_t id = 0;  ///< 0 with QoS 0
  std::uint8_t qos = 0;
  bool retain = false;
  bool again = false;  ///< DUP
};
/// PUBACK, PUBREC, PUBREL, PUBCOMP.
struct Ack {
  std::uint16_t id = 0;
  std::uint8_t code = 0;
  std::string_view reason = {};
};
struct SubAck {
  std::uint16_t id = 0;
  std::string_view codes = {};  ///< a byte a subscription
  std::string_view reason = {};
};
struct Disconnect {
  std::uint8_t code = 0;
  std::string_view reason = {};
};

/// Each reads a packet's body. Errors: kInvalidArgument, naming the packet.
Result<ConnAck> read_connack(Version version, std::string_view body);
Result<Publish> read_publish(Version version, std::uint8_t flags, std::string_view body);
/// The same from the first bytes of a body that is too large to be held: no payload. Nothing when more of it are needed; kPublishStart
/// of them are always enough.
Result<std::optional<Publish>> read_publish_start(std::uint8_t flags, std::string_view start);
Result<Ack> read_ack(Version version, PacketType type, std::string_view body);
Result<SubAck> read_suback(Version version, std::string_view body);
Result<Disconnect> read_disconnect(std::string_view body);

/// What the broker publishes (QoS 1, retained) when the client is gone without a good-bye.
struct Will {
  std::string topic;
  std::string payload;  ///< at most kLongestText bytes
};
struct Connect {
  Version version = Version::k5;
  std::string client_id = {};
  bool clean = true;
  std::uint32_t session_expiry_s = 0;  ///< 5.0; how long the broker keeps the session after the connection
  std::uint16_t keep_alive_s = 60;
  std::uint16_t receive_maximum = 65'535;  ///< 5.0
  std::optional<Will> will = std::nullopt;
  std::optional<std::string> user = std::nullopt;
  std::optional<std::string> password = std::nullopt;
};
struct Subscription {
  std::string filter;
  std::uint8_t qos = 0;
};

/// 5.0: what is retained comes when a subscription is new, not each time that it is made again.
inline constexpr std::uint8_t kRetainedOnce = 0x10;

/// Each appends a packet to `out`. Texts are at most kLongestText bytes long, a PUBLISH less than 256 MiB: the caller has checked.
void write_connect(const Connect& connect, std::string& out);
void write_publish(Version version, const Publish& publish, std::string& out);
void write_ack(PacketType type, std::uint16_t id, std::string& out);
void write_subscribe(Version version, std::uint16_t id, const std::vector<Subscription>& subscriptions, std::string& out);
void write_ping(std::string& out);
void write_disconnect(std::string& out);
/// Sets DUP in a PUBLISH that was written before.
void mark_again(std::string& publish);

/// Whether a text may be a topic (of PUBLISH) or a filter (of SUBSCRIBE): its length, its wildcards, no zero byte.
bool is_topic(std::string_view text);
bool is_filter(std::string_view text);

}  // namespace moru::wire::mqtt
