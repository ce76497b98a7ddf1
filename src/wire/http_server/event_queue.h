// SPDX-License-Identifier: Apache-2.0
// What waits for one listener of server-sent events.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

namespace moru::wire::server {

/// Bounded by events and by bytes. When it is full the listener is cut off, or loses the oldest and is told so by an event
/// "lost". Threads: any.
class EventQueue {
 public:
  EventQueue(std::size_t max_events, bool drop_oldest) : max_events_(max_events), drop_oldest_(drop_oldest) {}
  /// True when it was empty: whoever writes to the listener must be woken.
  bool push(const std::string& event);
  /// All that waits, one after the other, in front of it how many were lost since the last call.
  std::string take();
  /// It fell behind and must be cut off.
  bool too_slow() const;

 private:
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20U;
  const std::size_t max_events_;
  const bool drop_oldest_;
  mutable std::mutex mutex_;
  std::deque<std::string> waiting_;
  std::size_t bytes_ = 0;
  std::uint64_t lost_ = 0;
  bool too_slow_ = false;
};

}  // namespace moru::wire::server
