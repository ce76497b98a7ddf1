// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <deque>
#include <mutex>
#include <vector>

#include "core/json.h"
#include "core/log.h"
#include "edge/streams/item_json.h"
#include "edge/streams/mqtt_options.h"
#include "edge/streams/stage.h"
#include "wire/mqtt_publisher.h"

namespace moru::edge {
namespace {

constexpr std::uint8_t kRefused = 0x80;  // the broker's codes from here on
/// While messages have no answer the stage looks so often whether they have, for its counts; receipts do not wait for that.
constexpr TimeNs kLookEvery = 100 * kMillisecond;
/// How long a stop waits for answers of a broker that is there.
constexpr TimeNs kPatience = 2 * kSecond;

struct WriteMqttOptions {
  MqttOptionsReader connection;
  wire::mqtt::SessionOptions session;
  std::string topic;
  std::int64_t qos = 1;
  bool retain = false;
  std::string format = "json";
  std::vector<std::string> fields;
  std::string field = "value";
  std::int64_t in_flight = 1000;
  std::string where;
};

class WriteMqtt final : public Stage {
 public:
  WriteMqtt(WriteMqttOptions options, MqttTopic topic) : options_(std::move(options)), topic_(std::move(topic)), field_(options_.field) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    for (const FieldName name : topic_.fields()) MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, name.text()));
    for (const auto& field : options_.fields) MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, field));
    if (options_.format == "number") MORU_RETURN_IF_ERROR(inputs[0].need_number(options_.where, options_.field));
    if (options_.format == "text") MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, options_.field, FieldType::kText));
    if (options_.format == "bytes") MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, options_.field, FieldType::kTensor));
    return std::vector<Schema>{};
  }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    stop_ = context.stop;
    auto session = options_.session;
    MORU_RETURN_IF_ERROR(options_.connection.read_password(session));
    MORU_ASSIGN_OR_RETURN(auto publisher,
                          wire::mqtt::Publisher::start(std::move(session), static_cast<std::size_t>(options_.in_flight),
                                                       [this](std::uint64_t number, std::uint8_t code) { on_answer(number, code); }));
    const std::lock_guard lock(publisher_mutex_);
    publisher_ = std::move(publisher);
    return {};
  }

  Status process(Item&& item, Output& output) override {
    collect(output);
    if (const auto reason = topic_.write(item, topic_text_); !reason.empty()) return drop(output, reason);
    if (!make_payload(item)) return drop(output, "no field for the payload");
    const bool waits = options_.qos > 0;
    if (waits) expect_answer(std::move(item.receipt));  // first: the answer may be there before publish() has returned
    const auto number = publisher_->publish(topic_text_, payload_, static_cast<std::uint8_t>(options_.qos), options_.retain, stop_);
    if (number) {
      if (!waits) output.used(1);
      if (waits && look_at_ == kNeverDue) look_at_ = clock_->steady_now() + kLookEvery;
      return {};
    }
    if (waits) item.receipt = forget_last();
    return number.error().code == ErrorCode::kInvalidArgument ? drop(output, "too large") : Status(fail(number.error()));
  }

  TimeNs due() const override { return look_at_; }
  void on_due(Output& output) override {
    collect(output);
    look_at_ = held_ > 0 ? clock_->steady_now() + kLookEvery : kNeverDue;
  }
  std::uint64_t held() const override { return held_; }

  void finish(Output& output) override {
    publisher_->wait_until_answered(stop_, kPatience);
    collect(output);
    for (; held_ > 0; --held_) output.drop("stopped");
  }

  Status close() override {
    {
      const std::lock_guard lock(publisher_mutex_);
      publisher_.reset();
    }
    for (Waiting& waiting : waiting_) waiting.receipt.revoke();  // no thread but this one is left
    waiting_.clear();
    first_ = 1;  // the next publisher's numbers
    return {};
  }

  std::string waiting_for() const override {
    const std::lock_guard lock(publisher_mutex_);
    const std::string trouble = publisher_ ? publisher_->trouble() : "";
    return trouble.empty() ? "" : fmt::format("the broker ({})", trouble);
  }

 private:
  struct Waiting {
    Receipt receipt;
    bool answered = false;
  };

  bool make_payload(const Item& item) {
    if (options_.format == "json") {
      payload_ = item_json(item, options_.fields, clock_->steady_now()).dump(-1, ' ', false, Json::error_handler_t::replace);
      return true;
    }
    const Field* const field = item.find(field_);
    if (field == nullptr) return false;
    if (const auto text = field->text()) {
      payload_ = *text;
    } else if (const auto* tensor = field->tensor()) {
      const auto bytes = tensor->bytes();
      payload_.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    } else {
      payload_ = field->number() != nullptr ? fmt::format("{}", *field->number()) : fmt::format("{}", *field->integer());
    }
    return true;
  }

  void expect_answer(Receipt receipt) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({.receipt = std::move(receipt)});
    ++held_;
  }

  Receipt forget_last() {
    const std::lock_guard lock(mutex_);
    Receipt receipt = std::move(waiting_.back().receipt);
    waiting_.pop_back();
    --held_;
    return receipt;
  }

  /// On the publisher's thread: the item is done, and its source may know at once.
  void on_answer(std::uint64_t number, std::uint8_t code) {
    Receipt done;
    bool first_refusal = false;
    {
      const std::lock_guard lock(mutex_);
      Waiting& waiting = waiting_[number - first_];
      waiting.answered = true;
      done = std::move(waiting.receipt);
      for (; !waiting_.empty() && waiting_.front().answered; ++first_) waiting_.pop_front();
      first_refusal = code >= kRefused && refused_ == 0 && !std::exchange(told_, true);
      ++(code < kRefused ? taken_ : refused_);
    }
    if (first_refusal) {
      MORU_LOG(kWarn, "the broker refuses a message; told once, and counted", "reason",
               wire::mqtt::reason_words(options_.session.connect.version, code));
    }
  }

  void collect(Output& output) {
    if (held_ == 0) return;
    std::uint64_t taken = 0;
    std::uint64_t refused = 0;
    {
      const std::lock_guard lock(mutex_);
      taken = std::exchange(taken_, 0);
      refused = std::exchange(refused_, 0);
    }
    held_ -= taken + refused;
    output.used(taken);
    for (; refused > 0; --refused) output.drop("refused by the broker");
  }

  const WriteMqttOptions options_;
  const MqttTopic topic_;
  const FieldName field_;
  Clock* clock_ = nullptr;
  std::stop_token stop_;
  std::string topic_text_;
  std::string payload_;
  std::uint64_t held_ = 0;  // the lane's own count
  TimeNs look_at_ = kNeverDue;
  std::mutex mutex_;
  std::deque<Waiting> waiting_;  // for answers, by number
  std::uint64_t first_ = 1;      // number of its first
  std::uint64_t taken_ = 0;      // answered, and not yet counted by the lane
  std::uint64_t refused_ = 0;
  bool told_ = false;
  mutable std::mutex publisher_mutex_;  // the pointer: waiting_for() comes from any thread
  std::unique_ptr<wire::mqtt::Publisher> publisher_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  WriteMqttOptions options;
  std::string field;
  ConfigReader reader(object);
  options.connection.read(reader);
  reader.required("topic", &options.topic);
  reader.optional("qos", &options.qos, {.min = 0, .max = 1});
  reader.optional("retain", &options.retain);
  reader.choice("format", &options.format, {"json", "number", "text", "bytes"});
  reader.optional("fields", &options.fields);
  reader.optional("field", &field);
  reader.optional("in_flight", &options.in_flight, {.min = 1, .max = 65'535});
  MORU_RETURN_IF_ERROR(reader.finish());
  options.where = object.where();
  MORU_ASSIGN_OR_RETURN(options.session, options.connection.finish(object));
  MORU_ASSIGN_OR_RETURN(auto topic, MqttTopic::to_write(options.topic, options.where));
  if (options.format == "json" ? !field.empty() : !options.fields.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found '{}' with format {}, expected '{}'", options.where, field.empty() ? "fields" : "field",
                            options.format, field.empty() ? "field" : "fields"));
  }
  if (!field.empty()) options.field = field;
  return std::make_unique<WriteMqtt>(std::move(options), std::move(topic));
}

}  // namespace

extern const StageSpec kStage_write_mqtt;
const StageSpec kStage_write_mqtt{
    .name = "write_mqtt",
    .kind = StageKind::kSink,
    .doc =
        R"yaml(Publishes a message for each item at an MQTT broker (5 or 3.1.1). With QoS 1 an item is done when the broker has taken it.

Reads   the fields in `topic`: texts without / + #, or int64
        json     every number and text field but notes (names with a dot), or those of `fields`
        number, text, bytes   the one field `field`: a number, a text, a tensor (its bytes)

A JSON payload is {"seq", "time" (ns since 1970), fields, "latency_us"}. An item is dropped with its reason: "no field for the topic", "bad
field for the topic", "no field for the payload", "too large" (for the broker), "refused by the broker".

While the broker is away, messages of QoS 1 wait in memory, at most `in_flight` of them; then the stage waits, and its link does what
the file says of it. They are sent again when it is back: at least once. QoS 0: at most once, and done when the bytes are handed on.

Options
  topic: TOPIC           {NAME} is the value of a field: alerts/{device}
  qos: 1                 or 0
  retain: false          true: the broker keeps the last one of each topic
  format: json           or number, text, bytes
  fields: [NAME, ...]    of json; all
  field: value           of number, text, bytes
  in_flight: 1000        messages without an answer
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
  name: simulator
spec:
  stages:
    - name: readings
      stage: synthetic
      options: {keys: 3, items: 30, period_ms: 100, unit: degC}
    - name: broker
      stage: write_mqtt
      inputs: [readings]
      options: {host: 127.0.0.1, topic: "sensors/{device}/temperature", fields: [value]}
)yaml",
    .create = create,
    .holds = true,
    .needs = "an MQTT broker",
};

}  // namespace moru::edge
