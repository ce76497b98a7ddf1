// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <limits>
#include <mutex>

#include "core/log.h"
#include "core/text.h"
#include "edge/streams/mqtt_options.h"
#include "edge/streams/pace.h"
#include "edge/streams/record.h"
#include "edge/streams/stage.h"
#include "wire/wake.h"

namespace moru::edge {
namespace {

constexpr TimeNs kLongestWait = 50 * kMillisecond;
/// So long nothing comes and nothing is stored, while messages wait to be stored: somebody should know.
constexpr TimeNs kStalled = 10 * kSecond;

struct ReadMqttOptions {
  MqttOptionsReader connection;
  wire::mqtt::SessionOptions session;
  std::vector<MqttTopic> topics;
  std::string format = "json";
  RecordOptions record;
  std::string field = "payload";  // of bytes
  std::string topic_field;        // empty: none
  bool when_stored = true;        // else acknowledged when they have come
  TimeNs gather = 0;
  bool waits = true;  // QoS 1 or 2, and when_stored
  std::int64_t items = 0;
};

class ReadMqtt final : public SourceStage, private wire::mqtt::SessionListener {
 public:
  explicit ReadMqtt(ReadMqttOptions options) : options_(std::move(options)), field_(options_.field), topic_field_(options_.topic_field) {
    end_ = options_.items == 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(options_.items);
  }

  Result<Schema> bind() override {
    Schema schema{.fields = options_.record.fields};
    if (options_.format == "bytes")
      schema.set({.name = field_, .type = FieldType::kTensor, .dtype = model::DType::kUInt8, .dims = std::vector<std::int64_t>{-1}});
    for (const MqttTopic& topic : options_.topics) {
      for (const FieldName name : topic.fields()) schema.set({.name = name, .type = FieldType::kText});
    }
    if (!options_.topic_field.empty()) schema.set({.name = topic_field_, .type = FieldType::kText});
    return schema;
  }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    if (session_) return {};  // it goes on where it was
    auto session = options_.session;
    MORU_RETURN_IF_ERROR(options_.connection.read_password(session));
    MORU_ASSIGN_OR_RETURN(auto made, wire::mqtt::Session::make(std::move(session), *clock_, *this));
    session_.emplace(std::move(made));
    return {};
  }

  Result<bool> produce(Output& output) override {
    if (emitted_ >= end_) return false;
    take_settled();
    if (std::exchange(again_, false)) {
      return fail(ErrorCode::kUnavailable,
                  fmt::format("MQTT broker {}: items were lost on their way, expected all to be stored; connecting "
                              "again, so that they are sent again",
                              session_->broker()));
    }
    if (!session_->connecting()) MORU_RETURN_IF_ERROR(session_->connect());
    output_ = &output;
    const auto handled = wait_and_handle();
    output_ = nullptr;
    if (!handled) return fail(handled.error());
    return emitted_ < end_;
  }

  void drain_at(std::uint64_t items) override { end_ = std::min(end_.load(), items); }

  bool acknowledges() const override { return options_.waits; }

  void settle(std::uint64_t sequence, Outcome outcome) override {
    {
      const std::lock_guard lock(mutex_);
      settled_.emplace_back(sequence, outcome);
    }
    if (polling_.exchange(false)) wake_.ring();
  }

  /// What still comes is not looked at: the broker sends it again, or has been told not to.
  Status acknowledge() override {
    take_settled();
    return session_ && session_->connecting() ? wait_and_handle() : Status();
  }

  Status close() override {
    take_settled();
    if (session_) session_->disconnect();
    more_ = false;
    return {};
  }

 private:
  /// An item that was emitted, and the message that it was.
  struct Emitted {
    std::uint64_t sequence = 0;
    std::uint64_t delivery = 0;
    bool settled = false;
  };

  Status wait_and_handle() {
    if (!more_) wait();
    now_ = clock_->wall_now();
    auto more = session_->handle();
    if (!more) return fail(more.error());
    more_ = *more;
    take_settled();  // the stages behind may run on this thread
    return session_->flush();
  }

  void wait() {
    if (options_.gather > 0) pace_.wait_for(*clock_, last_read_ + options_.gather);
    const TimeNs now = clock_->steady_now();
    const TimeNs left = std::clamp<TimeNs>(session_->deadline() - now, 0, kLongestWait);
    std::array<pollfd, 2> entries = {{{.fd = session_->fd(), .events = session_->events(), .revents = 0},  //
                                      {.fd = wake_.fd(), .events = POLLIN, .revents = 0}}};
    polling_ = true;
    const bool settled = [&] {
      const std::lock_guard lock(mutex_);
      return !settled_.empty();
    }();
    const int ready = settled ? 1 : ::poll(entries.data(), entries.size(), static_cast<int>(left / kMillisecond + 1));
    polling_ = false;
    if (options_.gather > 0 && entries[0].revents != 0) last_read_ = clock_->steady_now();
    if (entries[1].revents != 0) wake_.drain();
    if (ready > 0 || session_->unacknowledged() == 0) {
      last_progress_ = now;
    } else if (now - last_progress_ > kStalled && !std::exchange(told_stalled_, true)) {
      MORU_LOG(kWarn,
               "messages wait to be stored, and the broker sends no more: it may allow too few unanswered ones (mosquitto: "
               "max_inflight_messages) for what a window keeps",
               "broker", session_->broker(), "unanswered", session_->unacknowledged());
    }
  }

  void on_message(const wire::mqtt::Message& message) override {
    if (output_ == nullptr || emitted_ >= end_) return;
    Item item;
    item.event_time = now_;
    const std::string_view reason = read(message, item);
    if (!reason.empty()) {
      refuse(reason, message.topic);
      if (message.delivery != 0) session_->acknowledge(message.delivery);
      return;
    }
    item.sequence = ++emitted_;
    if (message.delivery != 0) {
      if (options_.waits) {
        on_the_way_.push_back({.sequence = item.sequence, .delivery = message.delivery});
      } else {
        session_->acknowledge(message.delivery);
      }
    }
    output_->emit(std::move(item));
  }

  void on_too_large(std::string_view topic, std::size_t bytes) override {
    if (output_ == nullptr) return;
    static_cast<void>(bytes);
    refuse("too large", topic);
  }

  std::string_view read(const wire::mqtt::Message& message, Item& item) {
    const bool known = std::ranges::any_of(options_.topics, [&](const MqttTopic& topic) { return topic.read(message.topic, item); });
    if (!known) return "another topic";  // of a session that was kept from other subscriptions
    if (!options_.topic_field.empty()) item.set(topic_field_, message.topic);
    if (options_.format == "bytes") {
      auto tensor = model::Tensor::from_bytes(model::DType::kUInt8, {static_cast<std::int64_t>(message.payload.size())},
                                              std::as_bytes(std::span(message.payload)));
      if (!tensor) return "no memory";
      item.set(field_, std::move(*tensor));
      return {};
    }
    if (options_.format == "text") {
      item.set(options_.record.fields[0].name, message.payload);
      return {};
    }
    if (options_.format == "number") return read_number_record(options_.record, message.payload, item);
    const std::size_t before = item.fields.size();
    const std::string_view reason = read_json_record(options_.record, message.payload, item);
    return reason.empty() && item.fields.size() == before ? "no field" : reason;
  }

  /// Each reason is told once: a million of them are counted.
  void refuse(std::string_view reason, std::string_view topic) {
    output_->drop(reason);
    if (std::ranges::find(told_, reason) != told_.end()) return;
    told_.emplace_back(reason);
    MORU_LOG(kWarn, "message dropped; the reason is told once, and counted", "reason", reason, "topic", in_quotes(topic));
  }

  void take_settled() {
    {
      const std::lock_guard lock(mutex_);
      if (settled_.empty()) return;
      taken_.swap(settled_);
    }
    for (const auto& [sequence, outcome] : taken_) {
      const auto at = std::ranges::lower_bound(on_the_way_, sequence, {}, &Emitted::sequence);
      if (at == on_the_way_.end() || at->sequence != sequence) continue;  // of QoS 0
      at->settled = true;
      // A broker that keeps no session would never send it again.
      if (outcome == Outcome::kDone || options_.session.connect.clean) {
        session_->acknowledge(at->delivery);
      } else {
        session_->give_back(at->delivery);
        again_ = true;
      }
      while (!on_the_way_.empty() && on_the_way_.front().settled) on_the_way_.pop_front();
    }
    taken_.clear();
  }

  const ReadMqttOptions options_;
  const FieldName field_;
  const FieldName topic_field_;
  Clock* clock_ = nullptr;
  std::optional<wire::mqtt::Session> session_;
  Output* output_ = nullptr;  // while produce() runs
  bool more_ = false;         // the socket may hold more
  bool again_ = false;        // something was lost on its way
  TimeNs now_ = 0;            // wall, of the buffer at hand
  Pace pace_;
  TimeNs last_read_ = 0;      // monotonic
  TimeNs last_progress_ = 0;  // monotonic
  bool told_stalled_ = false;
  std::vector<std::string_view> told_;
  std::deque<Emitted> on_the_way_;
  std::vector<std::pair<std::uint64_t, Outcome>> taken_;  // of settled_
  std::uint64_t emitted_ = 0;
  std::atomic<std::uint64_t> end_;

  wire::Wake wake_;
  std::atomic<bool> polling_{false};
  std::mutex mutex_;
  std::vector<std::pair<std::uint64_t, Outcome>> settled_;
};

Status read_payload_options(ReadMqttOptions& options, const std::optional<ConfigObject>& fields, const ConfigObject& object) {
  const auto wrong = [&](std::string_view found, std::string_view expected) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected {}", object.where(), found, expected));
  };
  if (options.format == "bytes") {
    return fields ? Status(wrong("'fields' with format bytes", "'field', the name of the one field")) : Status();
  }
  if (!fields) return wrong("no 'fields'", "those of the payload: {temperature: double degC}");
  MORU_ASSIGN_OR_RETURN(options.record.fields, read_fields(*fields));
  if (options.format == "json") return {};
  const auto& one = options.record.fields;
  if (one.size() != 1) return wrong(fmt::format("{} fields with format {}", one.size(), options.format), "one: the payload");
  if ((one[0].type == FieldType::kText) != (options.format == "text"))
    return wrong(fmt::format("field '{}' of type {} with format {}", one[0].name.text(), to_string(one[0].type), options.format),
                 "a number or a text");
  if (!options.record.time.empty()) return wrong(fmt::format("'time' with format {}", options.format), "it with format json only");
  return {};
}

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  ReadMqttOptions options;
  std::vector<std::string> topics;
  std::optional<ConfigObject> fields;
  std::int64_t qos = 1;
  bool clean = true;
  std::int64_t expiry_s = 86'400;
  double gather_ms = 0.0;
  std::int64_t largest = std::int64_t{1} << 20;
  std::string acknowledge = "stored";
  ConfigReader reader(object);
  options.connection.read(reader);
  reader.required("topics", &topics);
  reader.optional("qos", &qos, {.min = 0, .max = 2});
  reader.optional("clean_session", &clean);
  reader.optional("session_expiry_s", &expiry_s, {.min = 0, .max = 4'294'967'295.0});
  reader.choice("acknowledge", &acknowledge, {"stored", "received"});
  reader.choice("format", &options.format, {"json", "number", "text", "bytes"});
  reader.optional("fields", &fields);
  reader.optional("field", &options.field);
  reader.optional("topic_field", &options.topic_field);
  reader.optional("time", &options.record.time);
  reader.choice("time_unit", &options.record.time_unit, {"iso8601", "s", "ms", "us", "ns"});
  reader.optional("gather_ms", &gather_ms, {.min = 0.0, .max = 50.0});
  reader.optional("max_message_bytes", &largest, {.min = 128, .max = 268'435'455.0});
  reader.optional("items", &options.items, {.min = 0, .max = 1e15});
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_ASSIGN_OR_RETURN(options.session, options.connection.finish(object));
  MORU_RETURN_IF_ERROR(read_payload_options(options, fields, object));
  for (const auto& topic : topics) {
    MORU_ASSIGN_OR_RETURN(auto read, MqttTopic::to_read(topic, object.where()));
    options.session.subscriptions.push_back({.filter = read.filter(), .qos = static_cast<std::uint8_t>(qos)});
    options.topics.push_back(std::move(read));
  }
  if (topics.empty()) return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found no topic, expected one at least", object.where()));
  if (!clean && !options.connection.has_client_id()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found 'clean_session: false' without 'client_id', expected the name under which the broker keeps it",
                            object.where()));
  }
  options.session.connect.clean = clean;
  options.session.connect.session_expiry_s = clean ? 0 : static_cast<std::uint32_t>(expiry_s);
  options.session.largest_packet = static_cast<std::size_t>(largest);
  options.gather = static_cast<TimeNs>(gather_ms * static_cast<double>(kMillisecond));
  options.waits = qos > 0 && acknowledge == "stored";
  return std::make_unique<ReadMqtt>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_read_mqtt;
const StageSpec kStage_read_mqtt{
    .name = "read_mqtt",
    .kind = StageKind::kSource,
    .doc =
        R"yaml(Takes messages from an MQTT broker (5 or 3.1.1), and tells it that one is stored only when it is, wherever it went.

Writes  a text field for each {NAME} in a topic, and
        json     the fields of `fields`, from the keys of those names; a key that is missing or null leaves its field out
        number   the one field of `fields`: the payload is its text
        text     the one field of `fields`: the payload as it is
        bytes    `field`, tensor uint8 [N]

A message that is no record is dropped with its reason: "no JSON object", "no field" (none of them is there), "wrong type", "no time",
"not a number", "too large" (it is skipped and never held). Each reason is logged once. Nothing is kept of a topic, so any number may come.

With QoS 1 and 2 a message is acknowledged when its item is stored or has met another end. With `clean_session: false` and a
`client_id` the broker keeps what comes meanwhile and what is not acknowledged: none is lost, some may come twice. A window keeps its
messages until it closes, so the broker must allow as many without an answer (mosquitto: max_inflight_messages); `acknowledge: received`
answers at once, and loses with a crash what is on its way. While the connection is lost the source is stale, and connects again.

Options
  topics: [TOPIC, ...]   + and # as wildcards, {NAME} for a level that becomes a field: sensors/{device}/temperature; $share/GROUP/TOPIC
  qos: 1                 at most; 0, 1 or 2
  format: json           or number, text, bytes
  fields: {NAME: TYPE}   int64, double or text; after a number's type its unit: {temperature: double degC}
  field: payload         with format bytes
  time: KEY              the event time, with format json; without it the time at which the message comes
  time_unit: iso8601     2026-11-23T17:35:00.123Z; or s, ms, us, ns since 1970
  topic_field: NAME      a text field with the whole topic
  acknowledge: stored    or received
  clean_session: true    false: the broker keeps the session under `client_id`
  session_expiry_s: 86400  for so long after the connection (MQTT 5)
  gather_ms: 0           reads what came in so long at once: less processor time, as much more delay; at most as many messages with QoS 1
                         come in it as the broker allows without an answer
  max_message_bytes: 1048576
  items: 0               ends after so many; 0: when drained
  host: 127.0.0.1
  port: 1883             8883 with tls
  version: 5             or 3.1.1
  client_id: TEXT        none: the broker makes one up
  keep_alive_s: 60       0: never asks whether the broker is there
  user: TEXT
  password_file: FILE    or password_variable: NAME, of the environment
  tls: false
  ca_file: FILE          PEM; none: the CAs that the system trusts
  certificate_file: FILE, key_file: FILE   PEM, this client's
)yaml",
    .example = R"yaml(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: temperatures
spec:
  stages:
    - name: sensors
      stage: read_mqtt
      options:
        host: 127.0.0.1
        topics: ["sensors/{device}/temperature"]
        client_id: temperatures
        clean_session: false
        fields: {value: double degC}
        items: 20
    - name: results
      stage: write_json
      inputs: [sensors]
      options: {path: temperatures.jsonl}
)yaml",
    .create_source = create,
    .acknowledges = true,
    .needs = "an MQTT broker",
};

}  // namespace moru::edge
