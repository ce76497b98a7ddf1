// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/kafka.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <string_view>

#include "core/loaded_library.h"
#include "core/text.h"

namespace moru::edge {
namespace {

/// The functions used, without their rd_kafka_: nothing is linked, so each is looked up by name.
#define MORU_KAFKA_FUNCTIONS(X) \
  X(conf_new)                   \
  X(conf_set)                   \
  X(conf_destroy)               \
  X(conf_set_opaque)            \
  X(conf_set_dr_msg_cb)         \
  X(conf_set_error_cb)          \
  X(conf_set_log_cb)            \
  X(new)                        \
  X(destroy)                    \
  X(produceva)                  \
  X(flush)                      \
  X(err2str)                    \
  X(error_code)                 \
  X(error_string)               \
  X(error_destroy)

struct Api {
#define MORU_KAFKA_MEMBER(name) decltype(&::rd_kafka_##name) name##_ = nullptr;
  MORU_KAFKA_FUNCTIONS(MORU_KAFKA_MEMBER)
#undef MORU_KAFKA_MEMBER
};

constexpr const char* kLibrary = "librdkafka.so.1";
constexpr int kAnswerWaitMs = 50;

Result<Api> load() {
  MORU_ASSIGN_OR_RETURN(auto library, LoadedLibrary::open("Kafka", kLibrary, "librdkafka1"));
  Api api;
#define MORU_KAFKA_LOOK_UP(name) library.find("rd_kafka_" #name, api.name##_);
  MORU_KAFKA_FUNCTIONS(MORU_KAFKA_LOOK_UP)
#undef MORU_KAFKA_LOOK_UP
  MORU_RETURN_IF_ERROR(library.has_all("release 1.5 or later"));
  return api;
}

/// Loaded once, and never destroyed.
const Result<Api>& library() {
  static const Result<Api>* const instance = new Result<Api>(load());  // never destroyed
  return *instance;
}

/// No other connection and no later time will take such a message.
bool is_refusal(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || error == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
         error == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP || error == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

constexpr rd_kafka_resp_err_t kPending = RD_KAFKA_RESP_ERR__BEGIN;  // where their codes begin, and none itself

}  // namespace

struct KafkaProducer::Impl {
  const Api& api;
  const KafkaOptions options;
  rd_kafka_t* producer = nullptr;
  std::vector<rd_kafka_resp_err_t> answers;  ///< of the messages that are being sent
  std::string last_error;                    ///< what the client last said of its brokers

  Impl(const Api& given, KafkaOptions what) : api(given), options(std::move(what)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (producer != nullptr) api.destroy_(producer);
  }

  Status start();
  rd_kafka_resp_err_t produce(const KafkaMessage& message, std::size_t index);
  Error error_of(rd_kafka_resp_err_t code) const;
  static void on_answer(rd_kafka_t* client, const rd_kafka_message_t* message, void* self);
  static void on_error(rd_kafka_t* client, int code, const char* reason, void* self);
};

void KafkaProducer::Impl::on_answer(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
  static_cast<Impl*>(self)->answers[reinterpret_cast<std::size_t>(message->_private)] = message->err;
}

void KafkaProducer::Impl::on_error(rd_kafka_t*, int, const char* reason, void* self) {
  static_cast<Impl*>(self)->last_error = reason != nullptr ? reason : "";
}

Status KafkaProducer::Impl::start() {
  rd_kafka_conf_t* const conf = api.conf_new_();
  std::array<char, 512> why{};
  auto settings = options.settings;
  settings.emplace_back("enable.idempotence", "true");
  settings.emplace_back("message.timeout.ms", std::to_string(options.timeout / kMillisecond));
  for (const auto& [name, value] : settings) {
    if (api.conf_set_(conf, name.c_str(), value.c_str(), why.data(), why.size()) == RD_KAFKA_CONF_OK) continue;
    api.conf_destroy_(conf);
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("Kafka: setting {}: {}, expected one of librdkafka's", in_quotes(name), why.data()));
  }
  api.conf_set_opaque_(conf, this);
  api.conf_set_dr_msg_cb_(conf, on_answer);
  api.conf_set_error_cb_(conf, on_error);
  api.conf_set_log_cb_(conf, [](const rd_kafka_t*, int, const char*, const char*) {});  // what matters comes to on_error
  producer = api.new_(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  if (producer != nullptr) return {};
  api.conf_destroy_(conf);
  return fail(ErrorCode::kInvalidArgument, fmt::format("Kafka: {}, expected settings that fit together", why.data()));
}

rd_kafka_resp_err_t KafkaProducer::Impl::produce(const KafkaMessage& message, std::size_t index) {
  std::vector<rd_kafka_vu_t> parts(5 + message.headers.size());
  auto part = parts.begin();
  part->vtype = RD_KAFKA_VTYPE_TOPIC;
  part->u.cstr = options.topic.c_str();
  ++part;
  part->vtype = RD_KAFKA_VTYPE_VALUE;
  part->u.mem = {.ptr = const_cast<char*>(message.value.data()), .size = message.value.size()};  // only read
  ++part;
  part->vtype = RD_KAFKA_VTYPE_KEY;
  part->u.mem = {.ptr = message.key ? const_cast<char*>(message.key->data()) : nullptr, .size = message.key ? message.key->size() : 0};
  ++part;
  part->vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  part->u.i64 = message.time / kMillisecond;
  ++part;
  part->vtype = RD_KAFKA_VTYPE_OPAQUE;
  part->u.ptr = reinterpret_cast<void*>(index);  // NOLINT(performance-no-int-to-ptr): a number, which comes back as it is
  for (const auto& [name, value] : message.headers) {
    ++part;
    part->vtype = RD_KAFKA_VTYPE_HEADER;
    part->u.header = {.name = name.c_str(), .val = value.data(), .size = static_cast<ssize_t>(value.size())};
  }
  rd_kafka_error_t* const error = api.produceva_(producer, parts.data(), parts.size());
  if (error == nullptr) return kPending;
  const auto code = api.error_code_(error);
  api.error_destroy_(error);
  return code;
}

Error KafkaProducer::Impl::error_of(rd_kafka_resp_err_t code) const {
  const bool refused = is_refusal(code);
  return Error{refused ? ErrorCode::kInvalidArgument : ErrorCode::kUnavailable,
               fmt::format("Kafka: topic '{}': {}{}, expected brokers that store the message", options.topic, api.err2str_(code),
                           last_error.empty() || refused ? "" : fmt::format(" ({})", last_error))};
}

KafkaProducer::KafkaProducer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KafkaProducer::KafkaProducer(KafkaProducer&&) noexcept = default;
KafkaProducer& KafkaProducer::operator=(KafkaProducer&&) noexcept = default;
KafkaProducer::~KafkaProducer() = default;

Result<KafkaProducer> KafkaProducer::create(const KafkaOptions& options) {
  const auto& api = library();
  if (!api) return fail(api.error());
  auto impl = std::make_unique<Impl>(*api, options);
  MORU_RETURN_IF_ERROR(impl->start());
  return KafkaProducer(std::move(impl));
}

/// Every message that the client has taken is answered within its timeout, so nothing is under way when this returns.
Result<std::size_t> KafkaProducer::send(std::span<const KafkaMessage> messages) {
  Impl& impl = *impl_;
  impl.answers.assign(messages.size(), kPending);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto answer = impl.produce(messages[i], i);
    if (answer == kPending) continue;
    // What stands behind it waits for the next call: it would be sent again there.
    impl.answers[i] = answer;
    break;
  }
  while (impl.api.flush_(impl.producer, kAnswerWaitMs) == RD_KAFKA_RESP_ERR__TIMED_OUT) continue;
  std::size_t stored = 0;
  while (stored < messages.size() && impl.answers[stored] == RD_KAFKA_RESP_ERR_NO_ERROR) ++stored;
  if (stored == 0) return fail(impl.error_of(impl.answers[0]));
  impl.last_error.clear();
  return stored;
}

}  // namespace moru::edge
