// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stream_watch.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "edge/streams/dead_letters.h"

namespace moru::edge {
namespace {

constexpr TimeNs kTimeEvery = kMillisecond;  // one item is timed in so long: a clock costs more than a light stage

std::uint64_t limit_of(double ratio) {
  if (!(ratio > 0.0)) return 0;
  if (ratio >= 1.0) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(std::ldexp(ratio, 64));
}

}  // namespace

void LinkTap::offer(const Item& item) {
  const std::lock_guard lock(mutex_);
  if (items_.size() >= kMost) {
    ++missed_;
    return;
  }
  items_.push_back(item);
  items_.back().receipt = {};  // who looks on must not keep a source waiting
}

std::vector<Item> LinkTap::take(std::uint64_t& missed) {
  const std::lock_guard lock(mutex_);
  missed = std::exchange(missed_, 0U);
  return std::exchange(items_, {});
}

std::shared_ptr<LinkTap> LinkTaps::open() {
  auto tap = std::make_shared<LinkTap>();
  const std::lock_guard lock(mutex_);
  taps_.push_back(tap);
  wanted_ = true;
  return tap;
}

void LinkTaps::offer_all(const Item& item) {
  const std::lock_guard lock(mutex_);
  std::erase_if(taps_, [](const auto& tap) { return tap.expired(); });
  if (taps_.empty()) wanted_ = false;
  for (const auto& weak : taps_) {
    if (const auto tap = weak.lock()) tap->offer(item);
  }
}

StageWatch::StageWatch(std::string stage, const StreamWatch* watch, std::shared_ptr<DeadLetters> dead_letters, bool holds)
    : stage_(std::move(stage)),
      spans_(watch == nullptr ? nullptr : watch->spans),
      span_limit_(spans_ ? limit_of(watch->span_ratio) : 0),
      dead_letters_(std::move(dead_letters)),
      holds_(holds),
      times_(watch != nullptr && watch->times ? std::make_unique<Times>() : nullptr) {}

/// Finalizer of SplitMix64. Two sources number from 1 alike, so the time belongs to it.
std::uint64_t StageWatch::item_hash(const Item& item) {
  std::uint64_t x = item.sequence * 0x9e3779b97f4a7c15U ^ static_cast<std::uint64_t>(item.emitted);
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

void StageWatch::begin(const Item& item, Clock& clock, TimeNs batch_now, NestedTime& nested) {
  inside_ = true;
  kept_ = false;
  reason_.clear();
  if (dead_letters_) {
    copy_ = item;
    copy_.receipt = {};  // a letter is not what its sender waits for
  }
  tracing_ = is_sampled(item);
  timing_ = times_ && batch_now - times_->last >= kTimeEvery;
  if (!tracing_ && !timing_) return;
  hash_ = item_hash(item);
  sequence_ = item.sequence;
  begun_ = clock.steady_now();
  outer_ = std::exchange(nested.inner, 0);
  if (!timing_) return;
  times_->last = batch_now;
  times_->age.record(begun_ - item.emitted);
}

void StageWatch::end(const Status& status, Clock& clock, NestedTime& nested) {
  inside_ = false;
  if (tracing_ || timing_) {
    const TimeNs now = clock.steady_now();
    if (timing_) times_->busy.record(now - begun_ - nested.inner);
    nested.inner = outer_ + (now - begun_);
    if (tracing_) spans_->take({hash_, sequence_, stage_, begun_, now, false, reason_});
  }
  if (!dead_letters_) return;
  if (!reason_.empty() && !kept_) dead_letters_->add(stage_, reason_, status ? std::string() : status.error().message, copy_);
  copy_.fields.clear();  // a tensor is large
}

void StageWatch::on_new_item(const Item& item, Clock& clock) {
  if (!is_sampled(item)) return;
  const TimeNs now = clock.steady_now();
  spans_->take({item_hash(item), item.sequence, stage_, std::min(item.emitted, now), now, true, {}});
}

void StageWatch::on_drop(std::string_view reason) {
  // What a stage that holds items drops may be an older one; it names it, or nobody knows which.
  if (inside_ && (!holds_ || reason.starts_with("error: "))) reason_ = reason;
}

void StageWatch::reject(std::string_view reason, const Item& item) {
  kept_ = true;
  if (dead_letters_) dead_letters_->add(stage_, reason, {}, item);
}

void StageWatch::reject(std::string_view reason, std::string_view raw) {
  kept_ = true;
  if (dead_letters_) dead_letters_->add_raw(stage_, reason, raw);
}

}  // namespace moru::edge
