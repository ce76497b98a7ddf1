// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "edge/streams/keyed_states.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

struct RateOptions {
  std::vector<FieldName> key;
  double rate_hz = 0.0;
  double burst = 1.0;
  std::int64_t max_keys = 100'000;
  std::string where;

  /// A bucket is full again after this time, so it need not be remembered.
  TimeNs refill() const { return static_cast<TimeNs>(std::min(burst / rate_hz * 1e9, 4e18)); }
};

/// A bucket of tokens a key; an item takes one. The source of the method: the token bucket of RFC 2697, with one rate.
class RateLimit final : public Stage {
 public:
  explicit RateLimit(const RateOptions& options)
      : rate_hz_(options.rate_hz), burst_(options.burst), buckets_(options.key, options.where, options.max_keys, options.refill()) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_RETURN_IF_ERROR(buckets_.check(inputs[0]));
    return std::vector<Schema>{inputs[0]};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    if (!buckets_.read(item)) return drop(output, "field missing");
    Bucket* const bucket = buckets_.find(item, output);
    if (bucket == nullptr) return {};
    if (!take(*bucket, item.event_time)) return drop(output, "rate");
    output.emit(std::move(item));
    return {};
  }

 private:
  struct Bucket {
    double tokens = -1.0;  // never used yet: full
    TimeNs time = 0;
  };

  bool take(Bucket& bucket, TimeNs time) const {
    if (bucket.tokens < 0.0) {
      bucket.tokens = burst_;
      bucket.time = time;
    }
    if (time > bucket.time) {
      bucket.tokens = std::min(burst_, bucket.tokens + static_cast<double>(time - bucket.time) * 1e-9 * rate_hz_);
      bucket.time = time;
    }
    // A whole token may have been added in parts that do not quite make one.
    if (bucket.tokens < 1.0 - 1e-9) return false;
    bucket.tokens = std::max(0.0, bucket.tokens - 1.0);
    return true;
  }

  const double rate_hz_;
  const double burst_;
  KeyedStates<Bucket> buckets_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  RateOptions options;
  std::vector<std::string> key;
  ConfigReader reader(object);
  reader.required("rate_hz", &options.rate_hz, {.min = 1e-9, .max = 1e9});
  reader.optional("burst", &options.burst, {.min = 1.0, .max = 1e9});
  reader.optional("key", &key);
  reader.optional("max_keys", &options.max_keys, {.min = 1, .max = 1e8});
  MORU_RETURN_IF_ERROR(reader.finish());
  options.key.assign(key.begin(), key.end());
  options.where = object.find("key").value_or(object).where();
  return std::make_unique<RateLimit>(options);
}

}  // namespace

extern const StageSpec kStage_rate_limit;
const StageSpec kStage_rate_limit{
    .name = "rate_limit",
    .kind = StageKind::kStage,
    .doc = R"(Passes on so many items a second of event time and key, and a burst at once; the others are dropped("rate").

Reads   the fields of `key` (int64 or text)

Options
  rate_hz: RATE
  burst: 1               items that may come at once after a quiet time
  key: [FIELD, ...]      none: one limit for all
  max_keys: 100000       that are remembered; items of further keys are dropped("too many keys")
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: calm
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 4, items: 400, period_ms: 10}
    - name: calm
      stage: rate_limit
      inputs: [sensors]
      options: {rate_hz: 2, burst: 3, key: [device]}
    - name: results
      stage: write_json
      inputs: [calm]
      options: {path: calm.jsonl}
)",
    .create = create,
    .light = true,
};

}  // namespace moru::edge
