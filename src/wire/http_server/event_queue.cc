// SPDX-License-Identifier: Apache-2.0
#include "wire/http_server/event_queue.h"

#include <fmt/format.h>

namespace moru::wire::server {

bool EventQueue::push(const std::string& event) {
  const std::lock_guard lock(mutex_);
  const bool was_empty = waiting_.empty();
  waiting_.push_back(event);
  bytes_ += event.size();
  while (waiting_.size() > max_events_ || (bytes_ > kMaxBytes && waiting_.size() > 1)) {
    if (!drop_oldest_) too_slow_ = true;
    bytes_ -= waiting_.front().size();
    waiting_.pop_front();
    ++lost_;
  }
  return was_empty;
}

std::string EventQueue::take() {
  const std::lock_guard lock(mutex_);
  std::string text;
  if (lost_ > 0) text = fmt::format("event: lost\ndata: {{\"events\":{}}}\n\n", lost_);
  for (const auto& event : waiting_) text += event;
  waiting_.clear();
  bytes_ = 0;
  lost_ = 0;
  return text;
}

bool EventQueue::too_slow() const {
  const std::lock_guard lock(mutex_);
  return too_slow_;
}

}  // namespace moru::wire::server
