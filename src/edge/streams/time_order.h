// SPDX-License-Identifier: Apache-2.0
// Items of several inputs in the order of event time, with timers between them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "core/clock.h"

namespace moru::edge {

/// What a stage has taken waits here until event time has passed it on every input. It comes out by its time; what is of one time by its
/// input, and within an input as it came. A timer comes after everything of its time; timers of one time come by their number and by their
/// key. So a run gives the same whichever thread was faster. Threads: one at a time.
template <class Entry>
class TimeOrder {
 public:
  void put(TimeNs time, std::size_t input, Entry&& entry) { waiting_.try_emplace({time, input, ++arrived_}, std::move(entry)); }
  void set_timer(TimeNs time, std::size_t number, const std::string& key) { timers_.emplace(time, number, key); }
  void take_timer_back(TimeNs time, std::size_t number, const std::string& key) { timers_.erase({time, number, key}); }

  /// Event time has come to `time`: calls on_entry(time, input, Entry&&) and on_timer(time, number, key) for what is older. Both may
  /// set timers, on_entry of its own time or later ones, on_timer of later ones.
  template <class OnEntry, class OnTimer>
  void advance(TimeNs time, OnEntry&& on_entry, OnTimer&& on_timer) {
    constexpr TimeNs kNever = std::numeric_limits<TimeNs>::max();
    for (;;) {
      const TimeNs next = waiting_.empty() ? kNever : std::get<0>(waiting_.begin()->first);
      const TimeNs timer = timers_.empty() ? kNever : std::get<0>(*timers_.begin());
      if (std::min(next, timer) >= time) return;  // more may come of that very time
      if (next <= timer) {
        auto node = waiting_.extract(waiting_.begin());
        on_entry(next, std::get<1>(node.key()), std::move(node.mapped()));
      } else {
        const auto node = timers_.extract(timers_.begin());
        on_timer(timer, std::get<1>(node.value()), std::get<2>(node.value()));
      }
    }
  }
  std::size_t size() const { return waiting_.size(); }

 private:
  std::map<std::tuple<TimeNs, std::size_t, std::uint64_t>, Entry> waiting_;
  std::set<std::tuple<TimeNs, std::size_t, std::string>> timers_;
  std::uint64_t arrived_ = 0;
};

}  // namespace moru::edge
