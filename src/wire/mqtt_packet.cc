// SPDX-License-Identifier: Apache-2.0
#include "wire/mqtt_packet.h"

#include <fmt/format.h>

#include <array>

namespace moru::wire::mqtt {
namespace {

constexpr std::size_t kLengthBytes = 4;  // of a variable byte integer, at most
constexpr std::uint8_t kDup = 0x08;

/// Reads what is there; once something is not, it is at its end and not ok.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  bool ok() const { return ok_; }
  bool at_end() const { return left_.empty(); }
  std::string_view rest() { return take(left_.size()); }
  std::string_view take(std::size_t size) {
    if (size > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const auto taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const char byte : take(size)) value = (value << 8U) | static_cast<std::uint8_t>(byte);
    return value;
  }
  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::string_view text() { return take(u16()); }
  std::uint32_t length() {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
      const std::uint8_t byte = u8();
      value |= static_cast<std::uint32_t>(byte & 0x7FU) << (7 * i);
      if ((byte & 0x80U) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  void fail() { ok_ = false; }

 private:
  std::string_view left_;
  bool ok_ = true;
};

/// Those of the properties of 5.0 that are looked at; all others are stepped over.
enum Property : std::uint8_t {
  kSessionExpiry = 0x11,
  kAssignedClientId = 0x12,
  kServerKeepAlive = 0x13,
  kReasonString = 0x1F,
  kReceiveMaximum = 0x21,
  kTopicAlias = 0x23,
  kMaximumQos = 0x24,
  kMaximumPacket = 0x27,
};

/// Calls on(id, number, text) for each property (5.0, section 2.2.2.2), numbers and texts as the id has it.
template <class On>
void read_properties(Reader& reader, On on) {
  Reader properties(reader.take(reader.length()));
  while (reader.ok() && !properties.at_end()) {
    const std::uint8_t id = properties.u8();
    std::uint32_t number = 0;
    std::string_view text;
    switch (id) {
      case 0x01:
      case 0x17:
      case 0x19:
      case 0x24:
      case 0x25:
      case 0x28:
      case 0x29:
      case 0x2A: number = properties.u8(); break;
      case 0x13:
      case 0x21:
      case 0x22:
      case 0x23: number = properties.u16(); break;
      case 0x02:
      case 0x11:
      case 0x18:
      case 0x27: number = properties.number(4); break;
      case 0x0B: number = properties.length(); break;
      case 0x03:
      case 0x08:
      case 0x09:
      case 0x12:
      case 0x15:
      case 0x16:
      case 0x1A:
      case 0x1C:
      case 0x1F: text = properties.text(); break;
      case 0x26:
        text = properties.text();
        static_cast<void>(properties.text());
        break;
      default: properties.fail();
    }
    if (!properties.ok()) return reader.fail();
    on(id, number, text);
  }
}

std::unexpected<Error> broken(PacketType type, std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("MQTT: found a {} {}, expected one as the standard has it", to_string(type), what));
}

void put_number(std::string& out, std::uint32_t value, std::size_t size) {
  for (std::size_t i = size; i > 0; --i) out.push_back(static_cast<char>(value >> (8 * (i - 1))));
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, static_cast<std::uint32_t>(text.size()), 2);
  out.append(text);
}

void put_length(std::string& out, std::size_t value) {
  do {
    const auto byte = static_cast<unsigned>(value & 0x7FU);
    value >>= 7U;
    out.push_back(static_cast<char>(value > 0 ? byte | 0x80U : byte));
  } while (value > 0);
}

void put_head(std::string& out, PacketType type, unsigned flags, std::size_t body) {
  out.push_back(static_cast<char>((static_cast<unsigned>(type) << 4U) | flags));
  put_length(out, body);
}

bool has_plain_bytes(std::string_view text) {
  return !text.empty() && text.size() <= kLongestText && text.find('\0') == std::string_view::npos;
}

}  // namespace

std::string_view to_string(PacketType type) {
  constexpr std::array<std::string_view, 16> kNames = {"packet",  "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
                                                       "PUBREL",  "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
                                                       "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"};
  return kNames[static_cast<std::size_t>(type) % kNames.size()];
}

std::string_view reason_words(Version version, std::uint8_t code) {
  switch (code) {  // 3.1.1 has five of its own for CONNACK
    case 0x00: return "success";
    case 0x01: return version == Version::k311 ? "it does not speak this version of MQTT" : "granted QoS 1";
    case 0x02: return version == Version::k311 ? "it does not take this client id" : "granted QoS 2";
    case 0x03: return "it is not available";
    case 0x04: return version == Version::k311 ? "bad user name or password" : "disconnected with its will";
    case 0x05: return "not authorised";
    case 0x10: return "nobody has subscribed to it";
    case 0x11: return "there was no such subscription";
    case 0x80: return version == Version::k311 ? "the subscription was refused" : "no reason given";
    case 0x81: return "malformed packet";
    case 0x82: return "protocol error";
    case 0x83: return "an error of its own kind";
    case 0x84: return "it does not speak this version of MQTT";
    case 0x85: return "it does not take this client id";
    case 0x86: return "bad user name or password";
    case 0x87: return "not authorised";
    case 0x88: return "it is not available";
    case 0x89: return "it is busy";
    case 0x8A: return "this client is banned";
    case 0x8B: return "it is shutting down";
    case 0x8C: return "bad authentication method";
    case 0x8D: return "it heard nothing for longer than the keep-alive time";
    case 0x8E: return "another client has connected with the same id";
    case 0x8F: return "the topic filter is not allowed";
    case 0x90: return "the topic name is not allowed";
    case 0x91: return "the packet id is in use";
    case 0x92: return "the packet id is not known";
    case 0x93: return "more messages are unanswered than it takes";
    case 0x94: return "the topic alias is not allowed";
    case 0x95: return "the packet is larger than it takes";
    case 0x96: return "messages come faster than it takes them";
    case 0x97: return "a quota is used up";
    case 0x98: return "an administrator ended it";
    case 0x99: return "the payload is not of the format that it should have";
    case 0x9A: return "it keeps no retained messages";
    case 0x9B: return "it does not support this QoS";
    case 0x9C: return "use another server";
    case 0x9D: return "the server has moved";
    case 0x9E: return "it has no shared subscriptions";
    case 0x9F: return "connections come faster than it takes them";
    case 0xA0: return "the connection was up for as long as it may";
    case 0xA1: return "it has no subscription ids";
    case 0xA2: return "it has no subscriptions with wildcards";
    default: return "a code that the standard does not have";
  }
}

Result<std::optional<Head>> read_head(std::string_view bytes) {
  if (bytes.empty()) return std::optional<Head>();
  const auto first = static_cast<std::uint8_t>(bytes[0]);
  Head head{.type = static_cast<PacketType>(first >> 4U), .flags = static_cast<std::uint8_t>(first & 0x0FU)};
  if (first < 0x10U) return broken(head.type, "of type 0");
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    if (1 + i >= bytes.size()) return std::optional<Head>();
    const auto byte = static_cast<std::uint8_t>(bytes[1 + i]);
    head.body |= static_cast<std::size_t>(byte & 0x7FU) << (7 * i);
    if ((byte & 0x80U) != 0) continue;
    head.size = 2 + i;
    return head;
  }
  return broken(head.type, "with a length of more than 4 bytes");
}

Result<ConnAck> read_connack(Version version, std::string_view body) {
  Reader reader(body);
  ConnAck ack;
  ack.session_present = (reader.u8() & 1U) != 0;
  ack.code = reader.u8();
  if (version == Version::k5) {
    read_properties(reader, [&](std::uint8_t id, std::uint32_t number, std::string_view text) {
      switch (id) {
        case kReceiveMaximum: ack.receive_maximum = static_cast<std::uint16_t>(number); break;
        case kMaximumQos: ack.maximum_qos = static_cast<std::uint8_t>(number); break;
        case kMaximumPacket: ack.maximum_packet = number; break;
        case kServerKeepAlive: ack.keep_alive_s = static_cast<std::uint16_t>(number); break;
        case kAssignedClientId: ack.client_id = text; break;
        case kReasonString: ack.reason = text; break;
        default: break;
      }
    });
  }
  if (!reader.ok() || ack.receive_maximum == 0 || ack.maximum_packet == 0)
    return broken(PacketType::kConnAck, "that is cut short or wrong");
  return ack;
}

Result<std::optional<Publish>> read_publish_start(std::uint8_t flags, std::string_view start) {
  Reader reader(start);
  Publish publish{.qos = static_cast<std::uint8_t>((flags >> 1U) & 3U), .retain = (flags & 1U) != 0, .again = (flags & kDup) != 0};
  if (publish.qos > 2) return broken(PacketType::kPublish, "of QoS 3");
  publish.topic = reader.text();
  if (publish.qos > 0) publish.id = reader.u16();
  if (!reader.ok()) return std::optional<Publish>();
  if (!is_topic(publish.topic)) return broken(PacketType::kPublish, "whose topic is empty or has wildcards or zeros in it");
  if (publish.qos > 0 && publish.id == 0) return broken(PacketType::kPublish, "with packet id 0");
  return publish;
}

Result<Publish> read_publish(Version version, std::uint8_t flags, std::string_view body) {
  MORU_ASSIGN_OR_RETURN(auto publish, read_publish_start(flags, body));
  if (!publish) return broken(PacketType::kPublish, "that is cut short");
  Reader reader(body.substr(2 + publish->topic.size() + (publish->qos > 0 ? 2U : 0U)));
  bool alias = false;  // never asked for
  if (version == Version::k5)
    read_properties(reader, [&](std::uint8_t id, std::uint32_t, std::string_view) { alias = alias || id == kTopicAlias; });
  if (!reader.ok() || alias) return broken(PacketType::kPublish, "with wrong properties");
  publish->payload = reader.rest();
  return *publish;
}

Result<Ack> read_ack(Version version, PacketType type, std::string_view body) {
  Reader reader(body);
  Ack ack{.id = reader.u16()};
  if (version == Version::k5 && !reader.at_end()) {
    ack.code = reader.u8();
    if (!reader.at_end()) {
      read_properties(reader, [&](std::uint8_t id, std::uint32_t, std::string_view text) {
        if (id == kReasonString) ack.reason = text;
      });
    }
  }
  if (!reader.ok() || ack.id == 0) return broken(type, "that is cut short or has packet id 0");
  return ack;
}

Result<SubAck> read_suback(Version version, std::string_view body) {
  Reader reader(body);
  SubAck ack{.id = reader.u16()};
  if (version == Version::k5) {
    read_properties(reader, [&](std::uint8_t id, std::uint32_t, std::string_view text) {
      if (id == kReasonString) ack.reason = text;
    });
  }
  if (reader.ok()) ack.codes = reader.rest();
  if (!reader.ok() || ack.id == 0 || ack.codes.empty()) return broken(PacketType::kSubAck, "that is cut short or has packet id 0");
  return ack;
}

Result<Disconnect> read_disconnect(std::string_view body) {
  Reader reader(body);
  Disconnect end;
  if (!reader.at_end()) end.code = reader.u8();
  if (!reader.at_end()) {
    read_properties(reader, [&](std::uint8_t id, std::uint32_t, std::string_view text) {
      if (id == kReasonString) end.reason = text;
    });
  }
  if (!reader.ok()) return broken(PacketType::kDisconnect, "that is cut short");
  return end;
}

void write_connect(const Connect& connect, std::string& out) {
  constexpr unsigned kClean = 0x02;
  constexpr unsigned kWill = 0x04 | 0x08 | 0x20;  // with QoS 1, retained
  constexpr unsigned kPassword = 0x40;
  constexpr unsigned kUser = 0x80;
  std::string body;
  put_text(body, "MQTT");
  body.push_back(static_cast<char>(connect.version));
  body.push_back(static_cast<char>((connect.clean ? kClean : 0U) | (connect.will ? kWill : 0U) | (connect.user ? kUser : 0U) |
                                   (connect.password ? kPassword : 0U)));
  put_number(body, connect.keep_alive_s, 2);
  if (connect.version == Version::k5) {
    std::string properties;
    properties.push_back(static_cast<char>(kSessionExpiry));
    put_number(properties, connect.session_expiry_s, 4);
    properties.push_back(static_cast<char>(kReceiveMaximum));
    put_number(properties, connect.receive_maximum, 2);
    put_length(body, properties.size());
    body += properties;
  }
  put_text(body, connect.client_id);
  if (connect.will) {
    if (connect.version == Version::k5) body.push_back('\0');  // no properties
    put_text(body, connect.will->topic);
    put_text(body, connect.will->payload);
  }
  if (connect.user) put_text(body, *connect.user);
  if (connect.password) put_text(body, *connect.password);
  put_head(out, PacketType::kConnect, 0, body.size());
  out += body;
}

void write_publish(Version version, const Publish& publish, std::string& out) {
  const std::size_t size =
      2 + publish.topic.size() + (publish.qos > 0 ? 2U : 0U) + (version == Version::k5 ? 1U : 0U) + publish.payload.size();
  put_head(out, PacketType::kPublish, (publish.again ? kDup : 0U) | (unsigned{publish.qos} << 1U) | (publish.retain ? 1U : 0U), size);
  put_text(out, publish.topic);
  if (publish.qos > 0) put_number(out, publish.id, 2);
  if (version == Version::k5) out.push_back('\0');  // no properties
  out.append(publish.payload);
}

void write_ack(PacketType type, std::uint16_t id, std::string& out) {
  put_head(out, type, type == PacketType::kPubRel ? 2U : 0U, 2);
  put_number(out, id, 2);
}

void write_subscribe(Version version, std::uint16_t id, const std::vector<Subscription>& subscriptions, std::string& out) {
  std::string body;
  put_number(body, id, 2);
  if (version == Version::k5) body.push_back('\0');  // no properties
  for (const auto& subscription : subscriptions) {
    put_text(body, subscription.filter);
    body.push_back(static_cast<char>(version == Version::k5 ? subscription.qos | kRetainedOnce : subscription.qos));
  }
  put_head(out, PacketType::kSubscribe, 2, body.size());
  out += body;
}

void write_ping(std::string& out) { put_head(out, PacketType::kPingReq, 0, 0); }
void write_disconnect(std::string& out) { put_head(out, PacketType::kDisconnect, 0, 0); }
void mark_again(std::string& publish) { publish[0] = static_cast<char>(static_cast<std::uint8_t>(publish[0]) | kDup); }

bool is_topic(std::string_view text) { return has_plain_bytes(text) && text.find_first_of("+#") == std::string_view::npos; }

bool is_filter(std::string_view text) {
  if (!has_plain_bytes(text)) return false;
  // A wildcard stands for a whole level, and # for all that follow.
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool begins = at == 0 || text[at - 1] == '/';
    const bool ends = at + 1 == text.size() || text[at + 1] == '/';
    if (text[at] == '+' && !(begins && ends)) return false;
    if (text[at] == '#' && !(begins && at + 1 == text.size())) return false;
  }
  return true;
}

}  // namespace moru::wire::mqtt
