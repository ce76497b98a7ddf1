// SPDX-License-Identifier: Apache-2.0
#include "wire/mqtt_deliveries.h"

namespace moru::wire::mqtt {

namespace {
constexpr std::size_t kIds = 65'535;  // packet ids, from 1
}  // namespace

void Deliveries::begin(bool session_present) {
  open_ = true;
  resumed_ = 0;
  for (Message& message : messages_) message.arrived = false;
  if (session_present) return;
  first_ += messages_.size();
  messages_.clear();
  halfway_.clear();
}

Result<std::uint64_t> Deliveries::arrive(const Publish& publish, std::string& out) {
  if (publish.qos == 2 && halfway_.contains(publish.id)) {
    write_ack(PacketType::kPubRec, publish.id, out);
    return std::uint64_t{0};
  }
  const bool known = came_before(publish);
  answer(out);
  if (known) return std::uint64_t{0};
  if (messages_.size() >= kIds)
    return fail(ErrorCode::kUnavailable, "found more than 65,535 messages without an answer, expected the broker to wait for some");
  messages_.push_back({.id = publish.id, .qos = publish.qos});
  return first_ + messages_.size() - 1;
}

/// The broker sends again in its old order: what it passes over, by another one or by a new one, it has given up.
bool Deliveries::came_before(const Publish& publish) {
  std::size_t at = resumed_;
  while (at < messages_.size() && (!publish.again || messages_[at].arrived || messages_[at].id != publish.id)) ++at;
  if (at == messages_.size() && publish.again) return false;
  for (; resumed_ < at; ++resumed_) {
    if (!messages_[resumed_].arrived) messages_[resumed_] = {.stored = true};
  }
  if (at == messages_.size()) return false;
  ++resumed_;
  Message& message = messages_[at];
  message.arrived = true;
  if (!message.lost) return true;
  message = {.stored = true};  // its place is taken by the one that comes now
  return false;
}

Deliveries::Message* Deliveries::find(std::uint64_t delivery) {
  return delivery >= first_ && delivery - first_ < messages_.size() ? &messages_[delivery - first_] : nullptr;
}

void Deliveries::acknowledge(std::uint64_t delivery, std::string& out) {
  Message* const message = find(delivery);
  if (message == nullptr) return;
  message->stored = true;
  answer(out);
}

void Deliveries::give_back(std::uint64_t delivery) {
  if (Message* const message = find(delivery)) message->lost = true;
}

void Deliveries::release(std::uint16_t id, std::string& out) {
  halfway_.erase(id);
  write_ack(PacketType::kPubComp, id, out);
}

/// What is stored while there is no connection waits for the message to come again: the broker sends it again in any case.
void Deliveries::answer(std::string& out) {
  while (open_ && !messages_.empty() && messages_.front().stored && messages_.front().arrived) {
    const Message& first = messages_.front();
    if (first.id != 0) write_ack(first.qos == 2 ? PacketType::kPubRec : PacketType::kPubAck, first.id, out);
    if (first.id != 0 && first.qos == 2) halfway_.insert(first.id);
    messages_.pop_front();
    ++first_;
    if (resumed_ > 0) --resumed_;
  }
}

}  // namespace moru::wire::mqtt
