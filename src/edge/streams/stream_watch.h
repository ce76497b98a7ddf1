// SPDX-License-Identifier: Apache-2.0
// What a running stream shows of itself to those who ask: how long stages take, live items of links, spans of sampled items,
// items that were rejected. Where nobody asks, a stage has no StageWatch, and the lane's loop looks at one null pointer an item.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/histogram.h"
#include "edge/streams/stage.h"

namespace moru::edge {

class DeadLetters;

/// A stage's part of the way of one sampled item.
struct Span {
  std::uint64_t item = 0;  ///< the same for all spans of an item
  std::uint64_t sequence = 0;
  std::string_view stage;  ///< lives as long as the stream
  TimeNs begin = 0;        ///< monotonic
  TimeNs end = 0;
  bool is_root = false;      ///< the item's begin; the others are its children
  std::string_view outcome;  ///< empty: went on; else why it did not. Valid during the call only.
};

class SpanSink {
 public:
  virtual ~SpanSink() = default;
  /// From the stages' threads: must not wait.
  virtual void take(const Span& span) = 0;
};

/// Copies of the items that go by a link, for one reader who may be slower. Threads: any.
class LinkTap {
 public:
  /// Keeps a copy unless it is full; then it counts what the reader misses.
  void offer(const Item& item);
  /// What has come since the last call; `missed` is how many more did.
  std::vector<Item> take(std::uint64_t& missed);

 private:
  static constexpr std::size_t kMost = 256;
  std::mutex mutex_;
  std::vector<Item> items_;
  std::uint64_t missed_ = 0;
};

/// The taps of one link. offer() costs a look at a flag while nobody reads. Threads: any.
class LinkTaps {
 public:
  void offer(const Item& item) {
    if (wanted_.load(std::memory_order_relaxed)) [[unlikely]]
      offer_all(item);
  }
  /// The tap is fed for as long as it is held.
  std::shared_ptr<LinkTap> open();

 private:
  void offer_all(const Item& item);
  std::atomic<bool> wanted_ = false;
  std::mutex mutex_;
  std::vector<std::weak_ptr<LinkTap>> taps_;
};

/// What a host asks a stream to show; resource "watch" of StageContext. Set before the stream starts.
struct StreamWatch final : Resource {
  bool times = false;  ///< histograms of each stage
  bool taps = false;   ///< Stream::tap() works
  std::shared_ptr<SpanSink> spans = nullptr;
  double span_ratio = 0.0;  ///< of the items, 0 to 1
};

/// One lane's own note of the time that watched stages have taken within the one that is being timed.
struct NestedTime {
  TimeNs inner = 0;
};

/// The watch of one stage. Threads: the lane's, but the histograms, which are read from any.
class StageWatch {
 public:
  StageWatch(std::string stage, const StreamWatch* watch, std::shared_ptr<DeadLetters> dead_letters, bool holds);

  /// Every item is to be looked at alone, not only how long some take.
  bool sees_each() const { return dead_letters_ != nullptr || span_limit_ != 0; }
  /// Around the processing of an item. `batch_now`: the lane's time, a little old.
  void begin(const Item& item, Clock& clock, TimeNs batch_now, NestedTime& nested);
  void end(const Status& status, Clock& clock, NestedTime& nested);
  /// An item begins its way here: at a source, or where a stage has made it.
  void on_new_item(const Item& item, Clock& clock);
  /// The stage says that an item goes no further.
  void on_drop(std::string_view reason);
  /// The stage names the item, or the bytes, that it rejects.
  void reject(std::string_view reason, const Item& item);
  void reject(std::string_view reason, std::string_view raw);

  const Histogram* busy() const { return times_ ? &times_->busy : nullptr; }
  const Histogram* age() const { return times_ ? &times_->age : nullptr; }

 private:
  struct Times {
    Histogram busy;   ///< ns in the stage, without the watched stages behind it on the same thread
    Histogram age;    ///< ns since the item was due at its source, when the stage begins with it
    TimeNs last = 0;  ///< when one was measured
  };
  bool is_sampled(const Item& item) const { return span_limit_ != 0 && item_hash(item) < span_limit_; }
  static std::uint64_t item_hash(const Item& item);

  const std::string stage_;
  const std::shared_ptr<SpanSink> spans_;
  const std::uint64_t span_limit_;  ///< items with a smaller hash are sampled; 0: none
  const std::shared_ptr<DeadLetters> dead_letters_;
  const bool holds_;
  std::unique_ptr<Times> times_;
  bool inside_ = false;  ///< between begin() and end()
  bool timing_ = false;
  bool tracing_ = false;
  TimeNs begun_ = 0;
  TimeNs outer_ = 0;
  std::uint64_t hash_ = 0;
  std::uint64_t sequence_ = 0;
  bool kept_ = false;   ///< as a dead letter, already
  std::string reason_;  ///< of the drop in between
  Item copy_;           ///< of the item, for the dead letters
};

}  // namespace moru::edge
