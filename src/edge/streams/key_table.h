// SPDX-License-Identifier: Apache-2.0
// What a stage remembers of each key, bounded.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/clock.h"

namespace moru::edge {

/// A state a key. When it is full, states that were last asked for more than `keep` of event time ago are forgotten; they must
/// mean nothing any more by then.
template <class State>
class KeyTable {
 public:
  KeyTable(std::int64_t max_keys, TimeNs keep) : max_keys_(static_cast<std::size_t>(max_keys)), keep_(keep) {}

  /// The state of `key`, a new one where there is none; null when there is no room. `time`: of the item that asks.
  State* find(const std::string& key, TimeNs time) {
    latest_ = std::max(latest_, time);
    auto found = entries_.find(key);
    if (found == entries_.end()) {
      if (entries_.size() >= max_keys_) forget();
      if (entries_.size() >= max_keys_) return nullptr;
      found = entries_.try_emplace(key).first;
    }
    found->second.time = std::max(found->second.time, time);
    return &found->second.state;
  }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    State state;
    TimeNs time = std::numeric_limits<TimeNs>::min();
  };
  /// Not at every item: where all are in use, looking through them again and again would take all the time.
  void forget() {
    if (latest_ < next_look_) return;
    next_look_ = latest_ + std::max<TimeNs>(keep_ / 8, 1);
    std::erase_if(entries_, [&](const auto& entry) { return entry.second.time < latest_ - keep_; });
  }

  const std::size_t max_keys_;
  const TimeNs keep_;
  std::unordered_map<std::string, Entry> entries_;
  TimeNs latest_ = std::numeric_limits<TimeNs>::min() / 2;
  TimeNs next_look_ = std::numeric_limits<TimeNs>::min() / 2;
};

}  // namespace moru::edge
