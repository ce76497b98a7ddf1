// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/json.h"
#include "core/text.h"
#include "edge/streams/group_sink.h"
#include "edge/streams/item_json.h"
#include "edge/streams/item_key.h"
#include "edge/streams/kafka.h"
#include "edge/streams/secret.h"
#include "edge/streams/table.h"

namespace moru::edge {
namespace {

struct WriteKafkaOptions {
  KafkaOptions kafka;
  Secret secret;
  std::string key;
  std::vector<std::string> fields;
  std::string node;
  std::string where;
};

class WriteKafka final : public GroupSink {
 public:
  explicit WriteKafka(WriteKafkaOptions options) : options_(std::move(options)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    for (const auto& field : options_.fields) MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, field));
    if (!options_.key.empty()) {
      MORU_RETURN_IF_ERROR(check_key(inputs[0], {options_.key}, options_.where));
      key_.emplace(options_.key);
    }
    return std::vector<Schema>{};
  }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    stream_ = context.stream;
    KafkaOptions kafka = options_.kafka;
    MORU_ASSIGN_OR_RETURN(const auto password, options_.secret.get());
    if (password) kafka.settings.emplace_back("sasl.password", *password);
    MORU_ASSIGN_OR_RETURN(producer_, KafkaProducer::create(kafka));
    return {};
  }

  /// Also where its brokers do not answer, so that the next one starts with a clean state.
  Status close() override {
    producer_.reset();
    return {};
  }

 private:
  Result<Stored> store(std::span<const Item> items) override {
    messages_.clear();
    for (const Item& item : items) {
      auto& message = messages_.emplace_back();
      message.key = key_of(item);
      message.value = item_json(item, options_.fields, clock_->steady_now()).dump(-1, ' ', false, Json::error_handler_t::replace);
      message.headers = {{"node", options_.node}, {"stream", stream_}, {"seq", std::to_string(item.sequence)}};
      message.time = item.event_time;
    }
    MORU_ASSIGN_OR_RETURN(const std::size_t stored, producer_->send(messages_));
    return Stored{.items = stored};
  }

  std::optional<std::string> key_of(const Item& item) const {
    const Field* const field = key_ ? key_->in(item) : nullptr;
    if (field == nullptr) return std::nullopt;
    if (const auto* integer = field->integer()) return std::to_string(*integer);
    if (const auto text = field->text()) return std::string(*text);
    return std::nullopt;
  }

  const WriteKafkaOptions options_;
  Clock* clock_ = nullptr;
  std::string stream_;
  std::optional<FieldFinder> key_;
  std::vector<KafkaMessage> messages_;
  std::optional<KafkaProducer> producer_;
};

/// Settings of librdkafka that we have no option for. None of our own, and no secret: the stream file is shown and shared.
Status read_settings(const ConfigObject& object, KafkaOptions& kafka) {
  for (const auto& name : object.keys()) {
    constexpr std::array<std::string_view, 4> kOurs = {"bootstrap.servers", "metadata.broker.list", "enable.idempotence",
                                                       "message.timeout.ms"};
    if (std::ranges::find(kOurs, name) != kOurs.end() || name.contains("password")) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found setting {}, expected one for which there is no option", object.where(), in_quotes(name)));
    }
    MORU_ASSIGN_OR_RETURN(auto value, object.find(name)->as_string());
    kafka.settings.emplace_back(name, std::move(value));
  }
  return {};
}

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  WriteKafkaOptions options;
  std::string brokers;
  std::string user;
  std::string compression = "none";
  double timeout_s = 10.0;
  std::optional<ConfigObject> settings;
  ConfigReader reader(object);
  reader.required("brokers", &brokers);
  reader.required("topic", &options.kafka.topic);
  reader.optional("key", &options.key);
  reader.optional("fields", &options.fields);
  reader.optional("node", &options.node);
  reader.choice("compression", &compression, {"none", "gzip", "snappy", "lz4", "zstd"});
  reader.optional("user", &user);
  options.secret.read(reader);
  reader.optional("timeout_s", &timeout_s, {.min = 0.1, .max = 600.0});
  reader.optional("settings", &settings);
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_RETURN_IF_ERROR(options.secret.check(object));
  options.where = object.where();
  if (options.node.empty()) options.node = host_name();
  options.kafka.timeout = static_cast<TimeNs>(timeout_s * static_cast<double>(kSecond));
  // The partitions of Kafka's own clients, so that a key is in one place whoever writes it.
  options.kafka.settings = {{"bootstrap.servers", brokers}, {"compression.type", compression}, {"partitioner", "murmur2_random"}};
  if (!user.empty()) options.kafka.settings.emplace_back("sasl.username", user);
  if (settings) MORU_RETURN_IF_ERROR(read_settings(*settings, options.kafka));
  return std::make_unique<WriteKafka>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_write_kafka;
const StageSpec kStage_write_kafka{
    .name = "write_kafka",
    .kind = StageKind::kSink,
    .doc = R"(Writes each item to a topic of Apache Kafka, as a JSON object: {"seq", "time" (ns since 1970), fields, "latency_us"}.

Reads   every number and text field but notes (names with a dot), or those of `fields`; tensors are left out
        KEY     int64 or text: messages of one key stay in their order

An item is done when the brokers have stored it, on all replicas that are in step. What waits is sent together, at most 256 items; while the
brokers do not answer the items wait in front of the sink. The producer is idempotent; what is sent again after that (a new connection, a
restart) has the same headers node, stream and seq. A message that the brokers do not take (too large) is dropped("refused").

Options
  brokers: HOST:PORT,HOST:PORT
  topic: NAME
  key: NAME              none: any partition
  fields: [NAME, ...]    all
  node: NAME             the machine's name
  compression: none      or gzip, snappy, lz4, zstd
  user: NAME             with password_file: FILE, or password_variable: NAME, of the environment
  timeout_s: 10          without an answer for so long the connection is made anew
  settings: {NAME: TEXT} others of librdkafka: {security.protocol: sasl_ssl, sasl.mechanism: SCRAM-SHA-256, ssl.ca.location: FILE}
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: readings
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 3, items: 300, unit: degC}
    - name: topic
      stage: write_kafka
      inputs: [sensors]
      options: {brokers: "kafka.example:9092", topic: readings, key: device}
)",
    .create = create,
    .holds = true,
    .needs = "a broker of Kafka",
};

}  // namespace moru::edge
