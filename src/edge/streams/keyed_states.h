// SPDX-License-Identifier: Apache-2.0
// What a stage remembers of each key, bounded.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "edge/streams/item_key.h"
#include "edge/streams/stage.h"

namespace moru::edge {

/// A state a key. When it is full, states that were last asked for more than `keep` of event time ago are forgotten; they must
/// mean nothing any more by then.
template <class State>
class KeyedStates {
 public:
  static constexpr TimeNs kForever = std::numeric_limits<TimeNs>::max() / 4;

  /// `where`: the option that names the key.
  KeyedStates(std::vector<FieldName> key, std::string where, std::int64_t max_keys, TimeNs keep = kForever)
      : names_(std::move(key)), where_(std::move(where)), key_(names_), max_keys_(static_cast<std::size_t>(max_keys)), keep_(keep) {}

  Status check(const Schema& schema) const { return check_key(schema, names_, where_); }
  const std::vector<FieldName>& names() const { return names_; }

  /// Reads the item's key. False when a field of it is missing; whoever asks says so then, in the order of his own reasons.
  bool read(const Item& item) { return key_.read(item); }
  /// Of the item that was read last.
  const std::string& bytes() const { return key_.bytes(); }
  Fields fields(const Item& item) const { return key_.fields(item); }

  /// The state of the key that was read, a new one where there is none; null when the item was dropped because its time cannot be
  /// reckoned with, or there is no room.
  State* find(const Item& item, Output& output) {
    if (!in_time_range(item.event_time)) {
      output.drop("time out of range");
      return nullptr;
    }
    latest_ = std::max(latest_, item.event_time);
    auto found = entries_.find(key_.bytes());
    if (found == entries_.end()) {
      if (entries_.size() >= max_keys_) forget();
      if (entries_.size() >= max_keys_) {
        output.drop("too many keys");
        return nullptr;
      }
      found = entries_.try_emplace(key_.bytes()).first;
    }
    found->second.time = std::max(found->second.time, item.event_time);
    return &found->second.state;
  }
  /// Null where there is none.
  State* known(const std::string& key) {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second.state;
  }
  void erase(const std::string& key) { entries_.erase(key); }
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

  const std::vector<FieldName> names_;
  const std::string where_;
  ItemKey key_;
  const std::size_t max_keys_;
  const TimeNs keep_;
  std::unordered_map<std::string, Entry> entries_;
  TimeNs latest_ = std::numeric_limits<TimeNs>::min() / 2;
  TimeNs next_look_ = std::numeric_limits<TimeNs>::min() / 2;
};

}  // namespace moru::edge
