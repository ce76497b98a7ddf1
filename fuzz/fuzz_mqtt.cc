// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a broker sends: packets one behind the other, in both versions.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "wire/mqtt_packet.h"

namespace {

using namespace moru::wire::mqtt;

template <class T>
void check(const moru::Result<T>& result) {
  MORU_CHECK(result || result.error().code == moru::ErrorCode::kInvalidArgument);
}

void read_publish_both_ways(Version version, const Head& head, std::string_view body) {
  const auto publish = read_publish(version, head.flags, body);
  check(publish);
  if (!publish) return;
  MORU_CHECK(is_topic(publish->topic) && publish->topic.size() + publish->payload.size() < body.size());
  const auto start = read_publish_start(head.flags, body.substr(0, kPublishStart));
  MORU_CHECK(start && *start && (*start)->topic == publish->topic && (*start)->id == publish->id);
  std::string again;
  write_publish(version, *publish, again);
  MORU_CHECK(again.size() <= head.size + body.size());  // properties are left out
}

void read_all(Version version, std::string_view bytes) {
  while (true) {
    const auto head = read_head(bytes);
    check(head);
    if (!head || !*head || (*head)->size + (*head)->body > bytes.size()) return;
    const auto body = bytes.substr((*head)->size, (*head)->body);
    switch ((*head)->type) {
      case PacketType::kConnAck: check(read_connack(version, body)); break;
      case PacketType::kPublish: read_publish_both_ways(version, **head, body); break;
      case PacketType::kSubAck: check(read_suback(version, body)); break;
      case PacketType::kDisconnect: check(read_disconnect(body)); break;
      default: check(read_ack(version, (*head)->type, body));
    }
    bytes.remove_prefix((*head)->size + (*head)->body);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read_all(Version::k311, bytes);
  read_all(Version::k5, bytes);
  return 0;
}
