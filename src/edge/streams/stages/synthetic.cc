// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/random.h"
#include "edge/streams/pace.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

constexpr int kBatch = 256;  // items a call, when nothing says when they are due

struct SyntheticOptions {
  std::int64_t keys = 1;
  std::int64_t items = 0;
  double rate_hz = 0.0;
  double period_ms = 1.0;
  double mean = 20.0;
  double amplitude = 5.0;
  double wave_s = 60.0;
  double noise = 0.5;
  double spikes = 0.0;
  std::int64_t seed = 1;
  std::int64_t start_s = 0;
  std::string unit;
};

class Synthetic final : public SourceStage {
 public:
  explicit Synthetic(SyntheticOptions options) : options_(std::move(options)) {
    end_ = options_.items == 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(options_.items);
    for (std::int64_t key = 0; key < options_.keys; ++key) names_.push_back(fmt::format("device-{}", key));
  }

  Result<Schema> bind() override {
    Schema schema;
    schema.set({.name = key_, .type = FieldType::kText});
    schema.set({.name = value_, .type = FieldType::kDouble, .unit = options_.unit});
    schema.rate_hz = options_.rate_hz;
    schema.period = static_cast<TimeNs>(options_.period_ms * 1e6);
    return schema;
  }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    return {};
  }

  Result<bool> produce(Output& output) override {
    if (next_ >= end_) return false;
    if (options_.rate_hz <= 0.0) {
      for (int i = 0; i < kBatch && next_ < end_; ++i) output.emit(make_item(0));
      return next_ < end_;
    }
    if (start_ == 0) start_ = clock_->steady_now();
    const TimeNs due = start_ + static_cast<TimeNs>(static_cast<double>(next_) * (static_cast<double>(kSecond) / options_.rate_hz));
    if (pace_.wait_for(*clock_, due) >= due) output.emit(make_item(due));
    return next_ < end_;
  }

  void drain_at(std::uint64_t items) override { end_ = std::min(end_.load(), items); }

 private:
  /// Everything in an item follows from the seed and its number, whatever the rate.
  Item make_item(TimeNs due) {
    const std::uint64_t index = next_++;
    Rng random(static_cast<std::uint64_t>(options_.seed) ^ ((index + 1) * 0x9E3779B97F4A7C15U));
    Item item;
    item.sequence = index + 1;
    item.emitted = due;
    item.event_time = options_.start_s * kSecond + static_cast<TimeNs>(static_cast<double>(index) * options_.period_ms * 1e6);
    const auto key = static_cast<std::size_t>(index % static_cast<std::uint64_t>(options_.keys));
    item.set(key_, names_[key]);
    const double seconds = static_cast<double>(index) * options_.period_ms * 1e-3;
    double value = options_.mean + options_.noise * (2.0 * random.uniform() - 1.0);
    if (options_.amplitude != 0.0)
      value += options_.amplitude * std::sin(2.0 * std::numbers::pi *
                                             (seconds / options_.wave_s + static_cast<double>(key) / static_cast<double>(options_.keys)));
    if (options_.spikes > 0.0 && random.uniform() < options_.spikes) value += 10.0 * (options_.amplitude + options_.noise);
    item.set(value_, value);
    return item;
  }

  const SyntheticOptions options_;
  const FieldName key_{"device"};
  const FieldName value_{"value"};
  std::vector<std::string> names_;
  Clock* clock_ = nullptr;
  TimeNs start_ = 0;
  std::uint64_t next_ = 0;
  std::atomic<std::uint64_t> end_;
  Pace pace_;
};

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  SyntheticOptions options;
  ConfigReader reader(object);
  reader.optional("keys", &options.keys, {.min = 1, .max = 1e6});
  reader.optional("items", &options.items, {.min = 0, .max = 1e15});
  reader.optional("rate_hz", &options.rate_hz, {.min = 0.0, .max = 1e7});
  reader.optional("period_ms", &options.period_ms, {.min = 0.0, .max = 1e9});
  reader.optional("mean", &options.mean, {.min = -1e12, .max = 1e12});
  reader.optional("amplitude", &options.amplitude, {.min = 0.0, .max = 1e12});
  reader.optional("wave_s", &options.wave_s, {.min = 1e-6, .max = 1e9});
  reader.optional("noise", &options.noise, {.min = 0.0, .max = 1e12});
  reader.optional("spikes", &options.spikes, {.min = 0.0, .max = 1.0});
  reader.optional("seed", &options.seed, {.min = 0});
  reader.optional("start_s", &options.start_s, {.min = 0, .max = 4e9});
  reader.optional("unit", &options.unit);
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<Synthetic>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_synthetic;
const StageSpec kStage_synthetic{
    .name = "synthetic",
    .kind = StageKind::kSource,
    .doc = R"(Makes readings of devices that do not exist: a wave with noise, now and then a spike. The same seed, the same items.

Writes  device  text, device-0, device-1, ... in turn
        value   double: mean + amplitude * sin(2 pi t / wave_s) + noise, uniform in [-noise, noise]; each device has its own phase

Options
  keys: 1                devices
  items: 0               ends after so many; 0: when drained
  rate_hz: 0             items per second of the clock; 0: as fast as they are taken
  period_ms: 1           event time from one item to the next
  start_s: 0             event time of the first, seconds since 1970
  mean: 20
  amplitude: 5
  wave_s: 60
  noise: 0.5
  spikes: 0              share of readings that are 10 * (amplitude + noise) too high
  unit: TEXT             of the value
  seed: 1
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: readings
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 3, items: 30, period_ms: 100, unit: degC}
    - name: results
      stage: write_json
      inputs: [sensors]
      options: {path: readings.jsonl}
)",
    .create_source = create,
};

}  // namespace moru::edge
