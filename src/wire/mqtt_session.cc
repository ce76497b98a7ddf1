// SPDX-License-Identifier: Apache-2.0
#include "wire/mqtt_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "core/log.h"
#include "core/text.h"

namespace moru::wire::mqtt {
namespace {

constexpr std::size_t kBuffer = 65'536;  // read at once
constexpr std::size_t kIds = 65'535;     // packet ids, from 1
constexpr std::uint8_t kRefused = 0x80;  // codes from here on
/// From the first packet to the broker's last answer.
constexpr TimeNs kConnectTimeout = 10 * kSecond;
constexpr TimeNs kGoodByeTimeout = kSecond;
/// From a ping to its answer.
constexpr TimeNs kPingTimeout = 10 * kSecond;
constexpr std::uint16_t kSubscribeId = 1;                // answered before anything else of ours with an id is sent
constexpr std::size_t kPublishOverhead = 5 + 2 + 2 + 1;  // bytes of a PUBLISH beside topic and payload, at most

std::uint16_t id_of(std::uint64_t number) { return static_cast<std::uint16_t>((number - 1) % kIds + 1); }

std::string with_reason(std::string_view words, std::string_view reason) {
  return reason.empty() ? std::string(words) : fmt::format("{} ({})", words, in_quotes(reason));
}

}  // namespace

Session::Session(SessionOptions options, Clock& clock, SessionListener& listener, TlsContext tls)
    : options_(std::move(options)), clock_(&clock), listener_(&listener), tls_(std::move(tls)) {}

Result<Session> Session::make(SessionOptions options, Clock& clock, SessionListener& listener) {
  MORU_ASSIGN_OR_RETURN(auto tls, TlsContext::load(options.tls));
  return Session(std::move(options), clock, listener, std::move(tls));
}

std::string Session::broker() const { return fmt::format("{}:{}", options_.host, options_.port); }

std::unexpected<Error> Session::broken(std::string_view why) const {
  return fail(ErrorCode::kUnavailable, fmt::format("MQTT broker {}: {}", broker(), why));
}

Status Session::connect() {
  drop_connection();
  MORU_ASSIGN_OR_RETURN(auto connection, Connection::start(options_.host, options_.port, tls_));
  connection_.emplace(std::move(connection));
  began_ = clock_->steady_now();
  return {};
}

void Session::drop_connection() {
  connection_.reset();
  greeted_ = accepted_ = connected_ = false;
  pinged_ = 0;
  in_ = {};
  in_head_ = in_tail_ = skip_ = 0;
  out_.clear();
  deliveries_.end();
  unsent_ = on_wire_ = 0;
}

TimeNs Session::deadline() const {
  if (!connected_) return began_ + kConnectTimeout;
  if (pinged_ != 0) return pinged_ + kPingTimeout;
  return keep_alive_ == 0 ? INT64_MAX : last_sent_ + keep_alive_;
}

Result<bool> Session::handle() {
  if (!connection_) return broken("found no connection, expected one");
  auto more = work();
  if (more) return more;
  drop_connection();
  // Nonsense from the broker, too, may be gone with the next connection.
  return fail(ErrorCode::kUnavailable, std::move(more).error().message);
}

Result<bool> Session::work() {
  MORU_ASSIGN_OR_RETURN(const bool up, connection_->advance());
  bool more = false;
  if (up) {
    if (!greeted_) MORU_RETURN_IF_ERROR(greet());
    MORU_ASSIGN_OR_RETURN(more, read());
    MORU_RETURN_IF_ERROR(flush());
  }
  if (!connected_ && clock_->steady_now() > began_ + kConnectTimeout) return broken("no answer within 10 s");
  if (connected_ && !more) MORU_RETURN_IF_ERROR(keep_alive());
  return more;
}

Status Session::greet() {
  greeted_ = true;
  keep_alive_ = options_.connect.keep_alive_s * kSecond;
  write_connect(options_.connect, out_);
  return flush();
}

Status Session::flush() {
  if (!connection_ || out_.empty()) return {};
  last_sent_ = clock_->steady_now();
  const Status written = connection_->write(out_);
  out_.clear();
  return written;
}

Status Session::keep_alive() {
  if (keep_alive_ == 0) return {};
  const TimeNs now = clock_->steady_now();
  if (pinged_ != 0 && now >= pinged_ + kPingTimeout) return broken("no answer to a ping within 10 s");
  if (pinged_ != 0 || now < last_sent_ + keep_alive_) return {};
  pinged_ = now;
  write_ping(out_);
  return flush();
}

void Session::disconnect() {
  if (connection_ && accepted_) {
    write_disconnect(out_);
    if (flush()) connection_->finish(kGoodByeTimeout);
  }
  drop_connection();
}

// --- reading

/// One buffer full. True: there may be more.
Result<bool> Session::read() {
  if (in_.empty()) in_.resize(kBuffer);
  const std::span<char> room = std::span(in_).subspan(in_tail_);
  MORU_ASSIGN_OR_RETURN(const std::size_t got, connection_->read(room));
  in_tail_ += got;
  if (got > 0) MORU_RETURN_IF_ERROR(handle_packets());
  return got == room.size();
}

/// Moves what is there to the front and makes the buffer as large as the packet that is coming needs it.
void Session::make_room(std::size_t packet) {
  if (in_head_ > 0) std::memmove(in_.data(), in_.data() + in_head_, in_tail_ - in_head_);
  in_tail_ -= in_head_;
  in_head_ = 0;
  const std::size_t size = std::max(kBuffer, packet);
  if (size > in_.size() || (in_tail_ <= kBuffer && size < in_.size())) {
    in_.resize(size);
    in_.shrink_to_fit();
  }
}

Status Session::handle_packets() {
  std::size_t needed = 0;  // bytes of the packet that is not there as a whole
  while (in_head_ < in_tail_) {
    const std::string_view bytes(in_.data() + in_head_, in_tail_ - in_head_);
    if (skip_ > 0) {
      const std::size_t skipped = std::min(skip_, bytes.size());
      skip_ -= skipped;
      in_head_ += skipped;
      continue;
    }
    MORU_ASSIGN_OR_RETURN_IN(broker(), const auto head, read_head(bytes));
    if (!head) break;
    const std::size_t size = head->size + head->body;
    if (size > options_.largest_packet) {
      MORU_ASSIGN_OR_RETURN(const std::size_t start, skip(*head, bytes.substr(head->size)));
      needed = head->size + kPublishStart;
      if (start == 0) break;
      in_head_ += head->size;
      skip_ = head->body;
      continue;
    }
    needed = size;
    if (bytes.size() < size) break;
    MORU_RETURN_IF_ERROR(handle_packet(*head, bytes.substr(head->size, head->body)));
    in_head_ += size;
    needed = 0;
  }
  make_room(needed);
  return {};
}

/// Of a packet that is too large to be held: 0 when more of it must come first.
Result<std::size_t> Session::skip(const Head& head, std::string_view start) {
  if (head.type != PacketType::kPublish || !accepted_)
    return broken(fmt::format("found a {} of {} bytes, expected less", to_string(head.type), head.body));
  start = start.substr(0, head.body);
  MORU_ASSIGN_OR_RETURN_IN(broker(), const auto publish, read_publish_start(head.flags, start));
  if (!publish && start.size() == head.body) return broken("found a PUBLISH that is cut short, expected its topic");
  if (!publish) return std::size_t{0};
  MORU_RETURN_IF_ERROR(on_publish(*publish, head.size + head.body));
  return head.body;
}

Status Session::handle_packet(const Head& head, std::string_view body) {
  const Version version = options_.connect.version;
  if ((head.type == PacketType::kConnAck) == accepted_)
    return broken(fmt::format("found a {} {} it had accepted the connection", to_string(head.type), accepted_ ? "after" : "before"));
  switch (head.type) {
    case PacketType::kConnAck: return on_connack(body);
    case PacketType::kSubAck: return on_suback(body);
    case PacketType::kPingResp: pinged_ = 0; return {};
    case PacketType::kPublish: {
      MORU_ASSIGN_OR_RETURN_IN(broker(), const auto publish, read_publish(version, head.flags, body));
      return on_publish(publish, 0);
    }
    case PacketType::kPubAck: {
      MORU_ASSIGN_OR_RETURN_IN(broker(), const auto ack, read_ack(version, head.type, body));
      on_answer(ack.id, ack.code);
      return {};
    }
    case PacketType::kPubRel: {
      MORU_ASSIGN_OR_RETURN_IN(broker(), const auto ack, read_ack(version, head.type, body));
      deliveries_.release(ack.id, out_);
      return {};
    }
    case PacketType::kDisconnect: {
      MORU_ASSIGN_OR_RETURN_IN(broker(), const auto end, read_disconnect(body));
      return broken(fmt::format("it ended the connection: {}", with_reason(reason_words(version, end.code), end.reason)));
    }
    default: return broken(fmt::format("found a {}, expected what a broker sends", to_string(head.type)));
  }
}

Status Session::on_connack(std::string_view body) {
  const Version version = options_.connect.version;
  MORU_ASSIGN_OR_RETURN_IN(broker(), const auto ack, read_connack(version, body));
  if (ack.code != 0) return broken(fmt::format("it refused the connection: {}", with_reason(reason_words(version, ack.code), ack.reason)));
  accepted_ = true;
  broker_maximum_packet_ = ack.maximum_packet;
  broker_receive_maximum_ = ack.receive_maximum;
  if (ack.keep_alive_s) keep_alive_ = *ack.keep_alive_s * kSecond;
  if (ack.maximum_qos == 0 && !outgoing_.empty()) return broken("it takes messages of QoS 0 only, expected it to take QoS 1");
  if (!ack.client_id.empty()) options_.connect.client_id = ack.client_id;
  if (!ack.session_present && subscribed_) MORU_LOG(kWarn, "the broker has not kept the session", "broker", broker());
  deliveries_.begin(ack.session_present);
  if (options_.subscriptions.empty() || (ack.session_present && subscribed_)) {
    connected_ = true;
  } else {
    write_subscribe(version, kSubscribeId, options_.subscriptions, out_);
  }
  send_outgoing();
  return {};
}

Status Session::on_suback(std::string_view body) {
  const Version version = options_.connect.version;
  MORU_ASSIGN_OR_RETURN_IN(broker(), const auto ack, read_suback(version, body));
  if (ack.id != kSubscribeId || ack.codes.size() != options_.subscriptions.size())
    return broken(fmt::format("found a SUBACK for {} subscriptions, expected {}", ack.codes.size(), options_.subscriptions.size()));
  for (std::size_t i = 0; i < ack.codes.size(); ++i) {
    const auto code = static_cast<std::uint8_t>(ack.codes[i]);
    if (code >= kRefused)
      return broken(fmt::format("it refused the subscription to {}: {}", in_quotes(options_.subscriptions[i].filter),
                                with_reason(reason_words(version, code), ack.reason)));
  }
  connected_ = true;
  subscribed_ = !options_.connect.clean;
  return {};
}

// --- messages from the broker

/// `too_large`: 0, or the bytes of a packet that is skipped.
Status Session::on_publish(const Publish& publish, std::size_t too_large) {
  std::uint64_t delivery = 0;
  if (publish.qos > 0) {
    MORU_ASSIGN_OR_RETURN_IN(broker(), delivery, deliveries_.arrive(publish, out_));
    if (delivery == 0) return {};
  }
  if (too_large > 0) {
    listener_->on_too_large(publish.topic, too_large);
    if (delivery != 0) deliveries_.acknowledge(delivery, out_);
    return {};
  }
  listener_->on_message(
      {.topic = publish.topic, .payload = publish.payload, .delivery = delivery, .retained = publish.retain, .again = publish.again});
  return {};
}

// --- messages to the broker

std::size_t Session::largest_payload(std::string_view topic) const {
  constexpr std::size_t kLargestLength = 268'435'455;  // of the standard
  const std::size_t packet = std::min(broker_maximum_packet_, kLargestLength);
  const std::size_t rest = topic.size() + kPublishOverhead;
  return packet > rest ? packet - rest : 0;
}

std::uint64_t Session::publish(std::string_view topic, std::string_view payload, std::uint8_t qos, bool retain) {
  const Version version = options_.connect.version;
  if (qos == 0) {
    if (accepted_) write_publish(version, {.topic = topic, .payload = payload, .retain = retain}, out_);
    return 0;
  }
  const std::uint64_t number = first_outgoing_ + outgoing_.size();
  Outgoing& outgoing = outgoing_.emplace_back();
  write_publish(version, {.topic = topic, .payload = payload, .id = id_of(number), .qos = 1, .retain = retain}, outgoing.packet);
  send_outgoing();
  return number;
}

void Session::send_outgoing() {
  for (; accepted_ && unsent_ < outgoing_.size() && on_wire_ < broker_receive_maximum_; ++unsent_) {
    Outgoing& outgoing = outgoing_[unsent_];
    if (outgoing.answered) continue;
    if (outgoing.sent) mark_again(outgoing.packet);
    outgoing.sent = true;
    out_ += outgoing.packet;
    ++on_wire_;
  }
}

void Session::on_answer(std::uint16_t id, std::uint8_t code) {
  const std::size_t at = (id + kIds - id_of(first_outgoing_)) % kIds;
  if (at >= unsent_ || outgoing_[at].answered) return;
  outgoing_[at].answered = true;
  --on_wire_;
  listener_->on_published(first_outgoing_ + at, code);
  while (!outgoing_.empty() && outgoing_.front().answered) {
    outgoing_.pop_front();
    ++first_outgoing_;
    --unsent_;
  }
  send_outgoing();
}

}  // namespace moru::wire::mqtt
