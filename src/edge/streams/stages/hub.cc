// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>

#include "core/json.h"
#include "core/log.h"
#include "edge/streams/item_json.h"
#include "edge/streams/outbox.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

struct HubOptions {
  double max_delay_ms = 10.0;
  std::string alert = "alert";
  std::vector<std::string> fields;
  bool results = true;
  std::string where;
};

/// Records are made durable by a thread of its own, in groups: an fsync takes longer than an item, and the line must not
/// wait for it. An alert is synced at once, a result at most max_delay_ms later.
class HubSink final : public Stage {
 public:
  explicit HubSink(HubOptions options) : options_(std::move(options)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    for (const auto& field : options_.fields) MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, field));
    return std::vector<Schema>{};
  }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    outbox_ = context.resource<Outbox>("outbox");
    if (!outbox_)
      return fail(ErrorCode::kNotFound,
                  "hub: found no outbox in this process, expected one; run the stream in an agent, or give it a folder for one");
    try {
      syncer_ = std::jthread([this](const std::stop_token& stop) { run_syncer(stop); });
    } catch (const std::system_error& error) {
      return fail(ErrorCode::kResourceExhausted, fmt::format("hub: thread: {}, expected one more thread to be had", error.what()));
    }
    return {};
  }

  Status process(Item&& item, Output& output) override {
    const auto* flag = item.get<std::int64_t>(options_.alert);
    const bool alert = flag != nullptr && *flag != 0;
    if (!alert && !options_.results) {
      output.drop("no alert");
      return {};
    }
    const Json body = item_json(item, options_.fields, clock_->steady_now());
    const auto status =
        outbox_->append(alert ? "alert" : "result", body.dump(-1, ' ', false, Json::error_handler_t::replace), std::move(item.receipt));
    // A refused record is in the ledger of the outbox with its reason: not an error of this stage, or it would be counted twice.
    tell(status);
    schedule_sync(alert);
    return {};
  }

  Status close() override {
    if (syncer_.joinable()) {
      syncer_.request_stop();
      syncer_.join();
    }
    return outbox_ ? outbox_->sync() : Status();
  }

 private:
  void schedule_sync(bool at_once) {
    const TimeNs now = clock_->steady_now();
    {
      const std::lock_guard lock(mutex_);
      if (pending_ && !at_once) return;
      deadline_ = at_once ? now : now + static_cast<TimeNs>(options_.max_delay_ms * static_cast<double>(kMillisecond));
      pending_ = true;
    }
    wake_.notify_one();
  }

  void run_syncer(const std::stop_token& stop) {
    const std::stop_callback wake(stop, [this] {
      const std::lock_guard lock(mutex_);
      wake_.notify_all();
    });
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      if (!pending_) {
        wake_.wait(lock, [&] { return pending_ || stop.stop_requested(); });
        continue;
      }
      if (clock_->steady_now() < deadline_) {
        clock_->wait_until(lock, wake_, deadline_);
        continue;
      }
      pending_ = false;
      lock.unlock();
      tell(outbox_->sync());
      lock.lock();
    }
  }

  /// Logs the first of a row of failures, and the end of it.
  void tell(const Status& status) {
    const std::lock_guard lock(tell_mutex_);
    if (status.has_value() == !failing_) return;
    failing_ = !failing_;
    if (failing_) {
      MORU_LOG(kError, "records are being dropped", "error", status.error().message);
    } else {
      MORU_LOG(kInfo, "records are taken again");
    }
  }

  const HubOptions options_;
  Clock* clock_ = nullptr;
  std::shared_ptr<Outbox> outbox_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool pending_ = false;
  TimeNs deadline_ = 0;
  std::mutex tell_mutex_;
  bool failing_ = false;
  std::jthread syncer_;  // last: it uses all the others
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  HubOptions options;
  ConfigReader reader(object);
  reader.optional("max_delay_ms", &options.max_delay_ms, {.min = 0.0, .max = 60'000.0});
  reader.optional("alert", &options.alert);
  reader.optional("fields", &options.fields);
  reader.optional("results", &options.results);
  MORU_RETURN_IF_ERROR(reader.finish());
  options.where = object.where();
  return std::make_unique<HubSink>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_hub;
const StageSpec kStage_hub{
    .name = "hub",
    .kind = StageKind::kSink,
    .doc = R"(Writes a record of each item to the node's outbox, whence the agent sends it to the hub.

Reads   ALERT   int64, not 0: the record is an alert, else a result
        every number and text field but notes (names with a dot), or those of `fields`; tensors are left out

A record is {"seq", "time" (ns since 1970), fields, "latency_us" (from the item's time to here)}. Alerts are made durable at
once, results in groups. A record that the outbox refuses (full, disk) is counted in the outbox's ledger.

Options
  alert: alert           name of the field
  results: true          false: alerts only; the others are dropped("no alert")
  fields: [NAME, ...]    all
  max_delay_ms: 10       longest time until a result is durable
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: report
spec:
  stages:
    - name: camera
      stage: idx_replay
      options: {folder: data, part: test, rate_hz: 500, items: 20}
    - name: hub
      stage: hub
      inputs: [camera]
      options: {fields: [order]}
)",
    .create = create,
};

}  // namespace moru::edge
