// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <span>

#include "core/digest.h"
#include "core/json.h"
#include "core/log.h"
#include "core/random.h"
#include "edge/streams/http_ends.h"
#include "edge/streams/item_json.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

constexpr TimeNs kLongestRetryAfter = 3600 * kSecond;  // a receiver that says more is asked again all the same
constexpr TimeNs kStopGrace = 2 * kSecond;             // for an exchange that is under way at a stop

struct WebhookOptions {
  HttpTarget target;
  std::vector<std::string> fields;
  std::int64_t batch = 1;
  std::string format;
  TimeNs max_delay = 0;
  TimeNs first_pause = 0;
  TimeNs longest_pause = 0;
  TimeNs give_up_after = 0;  // 0: never
  std::string where;
};

enum class Verdict : std::uint8_t { kStored, kRejected, kAgain };

/// 4xx says that this body will never be taken, but for those that speak of the sender's right or of the moment.
Verdict judge(int status) {
  if (status >= 200 && status < 300) return Verdict::kStored;
  const bool passes = status == 401 || status == 403 || status == 407 || status == 408 || status == 425 || status == 429;
  return status >= 400 && status < 500 && !passes ? Verdict::kRejected : Verdict::kAgain;
}

class Webhook final : public Stage {
 public:
  explicit Webhook(WebhookOptions options) : options_(std::move(options)), jitter_(0x6d6f7275) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    for (const auto& field : options_.fields) MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, field));
    return std::vector<Schema>{};
  }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    stop_ = context.stop;
    stream_ = context.stream;
    target_ = options_.target;
    target_.options.cancelled = [this] { return stop_seen_for(kStopGrace); };
    target_.options.content_type = options_.format == "ndjson" ? "application/x-ndjson" : "application/json";
    return target_.load();
  }

  Status process(Item&& item, Output& output) override {
    if (batch_.empty()) due_ = clock_->steady_now() + options_.max_delay;
    batch_.push_back(std::move(item));
    if (batch_.size() >= static_cast<std::size_t>(options_.batch)) send(output);
    return {};
  }
  TimeNs due() const override { return batch_.empty() ? kNeverDue : due_; }
  void on_due(Output& output) override { send(output); }
  void finish(Output& output) override { send(output); }
  std::uint64_t held() const override { return batch_.size(); }
  std::string waiting_for() const override { return waiting_ ? "an answer of " + options_.target.url : std::string(); }

  Status close() override {
    for (const Item& item : batch_) item.receipt.revoke();
    batch_.clear();
    return {};
  }

 private:
  void send(Output& output) {
    if (batch_.empty()) return;
    deliver(batch_, output);
    batch_.clear();
  }

  /// Comes back when each of the items has met its end.
  void deliver(std::span<Item> items, Output& output) {
    const std::string body = body_of(items);
    target_.options.headers = {{"Idempotency-Key", key_of(items, body)}};
    const TimeNs begun = clock_->steady_now();
    for (int attempt = 1; !given_up_; ++attempt) {
      const auto answer = client_.post(target_.url, body, target_.options);
      const Verdict verdict = answer ? judge(answer->status) : Verdict::kAgain;
      if (verdict != Verdict::kAgain) tell(true, {});
      if (verdict == Verdict::kStored) return output.used(items.size());
      if (verdict == Verdict::kRejected) return reject(items, answer->status, output);
      tell(false, answer ? fmt::format("{}: found status {}, expected 2xx", target_.url, answer->status) : answer.error().message);
      if (options_.give_up_after > 0 && clock_->steady_now() - begun >= options_.give_up_after)
        return give_up(items, "no receiver", output);
      given_up_ = !pause(attempt, answer ? answer->retry_after : std::nullopt);
    }
    give_up(items, "stopped", output);
  }

  /// One bad item must not take the others with it: they are sent again in halves.
  void reject(std::span<Item> items, int status, Output& output) {
    if (items.size() == 1) return output.reject(fmt::format("rejected: status {}", status), items[0]);
    const auto half = items.size() / 2;
    deliver(items.first(half), output);
    deliver(items.subspan(half), output);
  }

  static void give_up(std::span<Item> items, std::string_view reason, Output& output) {
    for (const Item& item : items) {
      item.receipt.revoke();
      output.drop(reason);
    }
  }

  std::string body_of(std::span<const Item> items) const {
    Json array = Json::array();
    for (const Item& item : items) {
      Json json = item_json(item, options_.fields, 0);
      json.erase("latency_us");  // the same item has the same body whenever it is sent
      array.push_back(std::move(json));
    }
    const auto text = [](const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); };
    if (options_.format == "array") return text(array);
    std::string body;
    for (const auto& json : array) body += text(json) + (options_.format == "ndjson" ? "\n" : "");
    return body;
  }

  /// Numbers begin anew when a stream is started again, so what is sent belongs to the key.
  std::string key_of(std::span<const Item> items, std::string_view body) const {
    const auto last = items.size() == 1 ? std::string() : fmt::format("-{}", items.back().sequence);
    return fmt::format("{}-{}{}-{}", stream_, items.front().sequence, last, sha256_hex(body).substr(0, 16));
  }

  /// Waits before the next attempt; false when the stream is to stop.
  bool pause(int attempt, std::optional<TimeNs> retry_after) {
    const TimeNs full = std::min(options_.first_pause << static_cast<unsigned>(std::min(attempt - 1, 20)), options_.longest_pause);
    // Between half of it and all: many senders that failed together must not come back together.
    const auto jittered = static_cast<TimeNs>(static_cast<double>(full) * (0.5 + 0.5 * jitter_.uniform()));
    const TimeNs until = clock_->steady_now() + std::max(jittered, std::min(retry_after.value_or(0), kLongestRetryAfter));
    const std::stop_callback wake(stop_, [this] {
      const std::lock_guard lock(mutex_);
      wake_.notify_all();
    });
    waiting_ = true;
    std::unique_lock lock(mutex_);
    while (!stop_.stop_requested() && clock_->steady_now() < until) clock_->wait_until(lock, wake_, until);
    waiting_ = false;
    return !stop_.stop_requested();
  }

  bool stop_seen_for(TimeNs time) {
    if (!stop_.stop_requested()) return false;
    const TimeNs now = clock_->steady_now();
    if (stop_seen_ == 0) stop_seen_ = now;
    return now - stop_seen_ >= time;
  }

  /// Logs the first of a row of failures, and the end of it.
  void tell(bool works, const std::string& error) {
    if (works == !failing_) return;
    failing_ = !works;
    if (failing_) {
      MORU_LOG(kWarn, "webhook does not take what is sent; trying again", "stream", stream_, "error", error);
    } else {
      MORU_LOG(kInfo, "webhook answers again", "stream", stream_, "url", target_.url);
    }
  }

  const WebhookOptions options_;
  Clock* clock_ = nullptr;
  std::stop_token stop_;
  std::string stream_;
  HttpTarget target_;
  wire::HttpClient client_;
  Rng jitter_;
  std::vector<Item> batch_;
  TimeNs due_ = 0;
  TimeNs stop_seen_ = 0;
  bool given_up_ = false;
  bool failing_ = false;
  std::atomic<bool> waiting_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  const auto time = [](double ms) { return static_cast<TimeNs>(ms * static_cast<double>(kMillisecond)); };
  WebhookOptions options;
  HttpTargetReader target;
  double max_delay_ms = 100.0;
  double retry_first_ms = 200.0;
  double retry_longest_ms = 30'000.0;
  double give_up_after_s = 0.0;
  ConfigReader reader(object);
  target.read(reader);
  reader.optional("fields", &options.fields);
  reader.optional("batch", &options.batch, {.min = 1, .max = 10'000});
  reader.choice("format", &options.format, {"object", "array", "ndjson"});
  reader.optional("max_delay_ms", &max_delay_ms, {.min = 0.0, .max = 600'000.0});
  reader.optional("retry_first_ms", &retry_first_ms, {.min = 1.0, .max = 600'000.0});
  reader.optional("retry_longest_ms", &retry_longest_ms, {.min = 1.0, .max = 3'600'000.0});
  reader.optional("give_up_after_s", &give_up_after_s, {.min = 0.0, .max = 1e6});
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_ASSIGN_OR_RETURN(options.target, target.finish(object));
  if (options.format.empty()) options.format = options.batch == 1 ? "object" : "array";
  if (options.format == "object" && options.batch != 1)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found format 'object' and a batch of {}, expected 'array' or 'ndjson' for more than one item",
                            object.where(), options.batch));
  options.max_delay = time(max_delay_ms);
  options.first_pause = time(retry_first_ms);
  options.longest_pause = std::max(time(retry_longest_ms), options.first_pause);
  options.give_up_after = time(give_up_after_s * 1e3);
  options.where = object.where();
  return std::make_unique<Webhook>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_webhook;
const StageSpec kStage_webhook{
    .name = "webhook",
    .kind = StageKind::kSink,
    .doc = R"(Posts items as JSON to an HTTP address, and tries again until they are taken.

Reads   every number and text field but notes (names with a dot), or those of `fields`; tensors are left out

An item is {"seq", "time" (ns since 1970), fields}. It is done when the receiver has answered 2xx. 4xx: it will never be taken; a batch is
sent again in halves until the bad item stands alone, which is dropped("rejected: status N") and goes to the dead letters. Everything else
(no answer, 5xx, and 401, 403, 407, 408, 425, 429) is tried again after retry_first_ms, twice that, ... at most retry_longest_ms, each
shortened by up to half by chance, or after what `Retry-After` says; the items behind it wait. The header `Idempotency-Key` is the same for
every attempt (stream, sequence number, digest of the body), so that a receiver can take an item once.

Options
  url: URL               https://; http:// only with `plain: true`
  plain: false
  ca: FILE               whom to trust (PEM); the machine's list
  certificate, key: FILE of this client (PEM); none
  token_file: FILE       shown as `Authorization: Bearer`; read when the stream starts
  batch: 1               items in one request, at most
  max_delay_ms: 100      longest time until a batch goes out
  format: object         of a batch array (a JSON array), or ndjson
  timeout_ms: 10000      of a request
  retry_first_ms: 200
  retry_longest_ms: 30000
  give_up_after_s: 0     then its items are dropped("no receiver"); 0: never
  fields: [NAME, ...]    all
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: report
spec:
  stages:
    - name: readings
      stage: read_csv
      options: {path: data/readings.csv, fields: {device: text, temperature: double degC}, time: at}
    - name: desk
      stage: webhook
      inputs: [readings]
      options: {url: "https://desk.example.com/readings", batch: 100}
)",
    .create = create,
    .holds = true,
    .needs = "an HTTP server",
};

}  // namespace moru::edge
