// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "edge/streams/keyed_states.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

/// Items that were passed on and whose end a source waits for. What comes again meanwhile shares the end of the first: it is done when that
/// is stored, and to be sent again when that is lost. Threads: settle() from any, the others one.
class OnTheWay {
 public:
  /// A key, and the number that an item of it was given.
  using Passed = std::pair<std::string, std::uint64_t>;

  OnTheWay() = default;
  OnTheWay(const OnTheWay&) = delete;
  OnTheWay& operator=(const OnTheWay&) = delete;
  ~OnTheWay() {
    book_->close();
    for (const auto& [number, item] : items_) {
      for (const Receipt& receipt : item.again) receipt.revoke();
    }
  }
  /// Wraps the receipt, so that the item's end is known here; its number, 0 where nobody waits.
  std::uint64_t add(const std::string& key, Receipt& receipt) {
    if (!receipt) return 0;
    {
      const std::lock_guard lock(mutex_);
      items_.try_emplace(++last_, Item{.key = key, .again = {}});
    }
    receipt = book_->issue(last_, std::move(receipt));
    return last_;
  }
  void add_again(std::uint64_t number, Receipt receipt) {
    const std::lock_guard lock(mutex_);
    if (const auto found = items_.find(number); found != items_.end()) found->second.again.push_back(std::move(receipt));
  }
  /// What was lost since the last call.
  std::vector<Passed> take_lost() {
    if (!any_lost_.exchange(false)) return {};
    const std::lock_guard lock(mutex_);
    return std::exchange(lost_, {});
  }

 private:
  struct Item {
    std::string key;
    std::vector<Receipt> again;
  };
  void settle(std::uint64_t number, Outcome outcome) {
    std::vector<Receipt> again;  // let go of without the lock: a source hears of it
    {
      const std::lock_guard lock(mutex_);
      auto item = items_.extract(number);
      again = std::move(item.mapped().again);
      if (outcome == Outcome::kAgain) {
        lost_.emplace_back(std::move(item.mapped().key), number);
        any_lost_ = true;
      }
    }
    if (outcome != Outcome::kAgain) return;
    for (const Receipt& receipt : again) receipt.revoke();
  }

  std::shared_ptr<ReceiptBook> book_ =
      std::make_shared<ReceiptBook>([this](std::uint64_t number, Outcome outcome) { settle(number, outcome); });
  std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, Item> items_;  // by number
  std::vector<Passed> lost_;
  std::atomic<bool> any_lost_ = false;
};

class Deduplicate final : public Stage {
 public:
  Deduplicate(std::vector<FieldName> key, TimeNs within, std::int64_t max_keys, const ConfigObject& at)
      : within_(within), within_where_(at.find("within_ms")->where()), seen_(std::move(key), at.find("key")->where(), max_keys, within) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_RETURN_IF_ERROR(seen_.check(inputs[0]));
    MORU_RETURN_IF_ERROR(inputs[0].need_reach(within_where_, "within_ms", within_, "none would be a duplicate"));
    return std::vector<Schema>{inputs[0]};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    forget_lost();
    if (!seen_.read(item)) return drop(output, "field missing");
    auto* const seen = seen_.find(item, output);
    if (seen == nullptr) return {};
    if (seen->at && item.event_time - *seen->at <= within_ && *seen->at - item.event_time <= within_) {
      if (item.receipt) on_the_way_.add_again(seen->number, std::move(item.receipt));
      return drop(output, "duplicate");
    }
    *seen = {item.event_time, on_the_way_.add(seen_.bytes(), item.receipt)};
    output.emit(std::move(item));
    return {};
  }

 private:
  struct Seen {
    std::optional<TimeNs> at;  ///< when an item of the key was last passed on
    std::uint64_t number = 0;  ///< of OnTheWay
  };

  /// It did not come anywhere: the one that is sent again is the first.
  void forget_lost() {
    for (const auto& [key, number] : on_the_way_.take_lost()) {
      if (const Seen* const seen = seen_.known(key); seen != nullptr && seen->number == number) seen_.erase(key);
    }
  }

  const TimeNs within_;
  const std::string within_where_;
  KeyedStates<Seen> seen_;
  OnTheWay on_the_way_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  std::vector<std::string> key;
  double within_ms = 0.0;
  std::int64_t max_keys = 100'000;
  ConfigReader reader(object);
  reader.required("key", &key);
  reader.required("within_ms", &within_ms, {.min = 0.0, .max = 1e11});
  reader.optional("max_keys", &max_keys, {.min = 1, .max = 1e8});
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<Deduplicate>(std::vector<FieldName>(key.begin(), key.end()), static_cast<TimeNs>(within_ms * 1e6), max_keys,
                                       object);
}

}  // namespace

extern const StageSpec kStage_deduplicate;
const StageSpec kStage_deduplicate{
    .name = "deduplicate",
    .kind = StageKind::kStage,
    .doc = R"(Passes on the first item of a key; one of the same key within a time of it (event time, either way) is dropped("duplicate").

Reads   the fields of `key` (int64 or text)

Of a source whose sender waits until items are stored, a duplicate is acknowledged when the first is stored. Where that is lost behind this
stage, both are to be sent again, and what then comes is passed on. After a restart nothing is remembered: where an item may never be there
twice, let the sink tell by its key, as write_sqlite and write_postgres do.

Options
  key: [FIELD, ...]      what two items have in common that are the same
  within_ms: LENGTH
  max_keys: 100000       that are remembered; items of further keys are dropped("too many keys")
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: once
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 4, items: 400, period_ms: 10}
    - name: once
      stage: deduplicate
      inputs: [sensors]
      options: {key: [device], within_ms: 500}
    - name: results
      stage: write_json
      inputs: [once]
      options: {path: once.jsonl}
)",
    .create = create,
    .light = true,
};

}  // namespace moru::edge
