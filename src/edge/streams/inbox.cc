// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/inbox.h"

#include <utility>

namespace moru::edge {

Inbox::Inbox(std::vector<std::string> links, std::size_t capacity, OverflowPolicy overflow)
    : capacity_(capacity), overflow_(overflow), open_links_(links.size()) {
  for (auto& name : links) links_.emplace_back().name = std::move(name);
}

void Inbox::push(std::size_t link, Item item) {
  std::optional<Item> thrown_away;  // dies after the lock is released: freeing an image takes time
  std::unique_lock lock(mutex_);
  if (queue_.size() >= capacity_) {
    if (overflow_ == OverflowPolicy::kBlock) {
      ++writers_wait_;
      not_full_.wait(lock, [&] { return queue_.size() < capacity_; });
      --writers_wait_;
    } else {
      Link& loser = links_[queue_.front().link];
      ++loser.dropped;
      --loser.queued;
      thrown_away = std::move(queue_.front().item);
      queue_.pop_front();
    }
  }
  ++links_[link].in;
  ++links_[link].queued;
  queue_.push_back({link, std::move(item)});
  const bool wake = reader_waits_;
  lock.unlock();
  if (wake) not_empty_.notify_one();
}

std::optional<Item> Inbox::take() {
  std::unique_lock lock(mutex_);
  if (queue_.empty() && open_links_ > 0) {
    reader_waits_ = true;
    not_empty_.wait(lock, [&] { return !queue_.empty() || open_links_ == 0; });
    reader_waits_ = false;
  }
  if (queue_.empty()) return std::nullopt;
  Entry entry = std::move(queue_.front());
  queue_.pop_front();
  ++links_[entry.link].out;
  --links_[entry.link].queued;
  const bool wake = writers_wait_ > 0;
  lock.unlock();
  if (wake) not_full_.notify_one();
  return std::move(entry.item);
}

void Inbox::close(std::size_t link) {
  {
    const std::lock_guard lock(mutex_);
    if (!links_[link].open) return;
    links_[link].open = false;
    --open_links_;
  }
  not_empty_.notify_one();
}

std::vector<wire::LinkLedger> Inbox::ledger() const {
  std::vector<wire::LinkLedger> result;
  const std::lock_guard lock(mutex_);
  for (const Link& link : links_) {
    auto& row = result.emplace_back();
    row.link = link.name;
    row.in = link.in;
    row.out = link.out;
    row.in_flight = link.queued;
    if (link.dropped > 0) row.dropped.emplace_back("queue full", link.dropped);
  }
  return result;
}

}  // namespace moru::edge
