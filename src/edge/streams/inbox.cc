// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/inbox.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace moru::edge {

Inbox::Inbox(std::vector<LinkOptions> links, std::mutex& mutex) : mutex_(mutex) {
  for (auto& options : links) links_.emplace_back().options = std::move(options);
}

void Inbox::push(std::size_t index, std::vector<Element>& batch) {
  std::vector<Element> thrown_away;  // dies after the lock is released: freeing an image takes time
  Link& link = links_[index];
  std::unique_lock lock(mutex_);
  for (Element& element : batch) {
    if (element.is_watermark || make_room(link, element, lock, thrown_away)) {
      put(link, std::move(element));
    } else {
      ++link.in;
      ++link.dropped;
    }
  }
  const bool wake = reader_waits_;
  lock.unlock();
  batch.clear();
  if (wake) not_empty_.notify_one();
}

/// False when there is no room for this item.
bool Inbox::make_room(Link& link, Element& element, std::unique_lock<std::mutex>& lock, std::vector<Element>& thrown_away) {
  switch (link.options.overflow) {
    case OverflowPolicy::kBlock:
      if (link.items < link.options.capacity) return true;
      if (reader_waits_) not_empty_.notify_one();
      ++writers_wait_;
      not_full_.wait(lock, [&] { return link.items < link.options.capacity; });
      --writers_wait_;
      return true;
    case OverflowPolicy::kDropOldest:
      if (link.items >= link.options.capacity) drop_oldest(link, thrown_away);
      return true;
    case OverflowPolicy::kSample: break;
  }
  element.number = link.number++;
  while (element.number % link.stride == 0 && link.items >= link.options.capacity) thin(link, thrown_away);
  return element.number % link.stride == 0;
}

void Inbox::put(Link& link, Element&& element) {
  if (element.is_watermark) {
    // A later one says all that the one before it has said.
    if (!link.empty() && link.queue.back().is_watermark) link.queue.pop_back();
  } else {
    ++link.in;
    ++link.items;
  }
  link.queue.push_back(std::move(element));
}

void Inbox::drop_oldest(Link& link, std::vector<Element>& thrown_away) {
  std::size_t oldest = link.head;
  while (link.queue[oldest].is_watermark) ++oldest;
  thrown_away.push_back(std::move(link.queue[oldest]));
  ++link.dropped;
  --link.items;
  // What stands in front of the oldest item are watermarks; the last of them has the say.
  if (oldest > link.head) link.queue[oldest] = std::move(link.queue[oldest - 1]);
  link.head = oldest > link.head ? oldest : oldest + 1;
  compact(link);
}

/// Keeps half as many from now on, and of those in the queue the ones that would have been kept.
void Inbox::thin(Link& link, std::vector<Element>& thrown_away) {
  link.stride *= 2;
  std::size_t kept = 0;
  for (std::size_t i = link.head; i < link.queue.size(); ++i) {
    Element& element = link.queue[i];
    if (!element.is_watermark && element.number % link.stride != 0) {
      thrown_away.push_back(std::move(element));
      ++link.dropped;
      --link.items;
      continue;
    }
    if (kept != i) link.queue[kept] = std::move(element);
    ++kept;
  }
  link.queue.resize(kept);
  link.head = 0;
}

/// Gives back the room in front of the head once it is more than what is behind it, so each element moves once at most.
void Inbox::compact(Link& link) {
  if (link.empty()) {
    link.queue.clear();
    link.head = 0;
    link.stride = 1;
    link.number = 0;
  } else if (link.head > link.queue.size() / 2) {
    link.queue.erase(link.queue.begin(), link.queue.begin() + static_cast<std::ptrdiff_t>(link.head));
    link.head = 0;
  }
}

Inbox::Link* Inbox::next_ready() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[(turn_ + i) % links_.size()];
    if (link.empty() && (link.open || link.end_told)) continue;
    turn_ = (turn_ + i + 1) % links_.size();
    return &link;
  }
  return nullptr;
}

/// An item that came alone is not kept waiting, nor is a writer who stands in front of a full queue.
void Inbox::wait_for_more(const Link& link, const Gather& gather, std::unique_lock<std::mutex>& lock) {
  const std::size_t enough = std::min(gather.limit, link.options.capacity);
  if (gather.wait == 0 || link.items < 2) return;
  const TimeNs deadline = gather.clock->steady_now() + gather.wait;
  while (link.open && link.items < enough && gather.clock->steady_now() < deadline) {
    reader_waits_ = true;
    gather.clock->wait_until(lock, not_empty_, deadline);
    reader_waits_ = false;
  }
}

std::optional<Inbox::Taken> Inbox::take(std::vector<Element>& batch, const Gather& gather) {
  batch.clear();
  std::unique_lock lock(mutex_);
  const auto all_ended = [&] { return std::ranges::all_of(links_, &Link::end_told); };
  Link* link = next_ready();
  while (link == nullptr && !all_ended()) {
    reader_waits_ = true;
    not_empty_.wait(lock);
    reader_waits_ = false;
    link = next_ready();
  }
  if (link == nullptr) return std::nullopt;
  Taken taken{.link = static_cast<std::size_t>(link - links_.data())};
  if (link->empty()) {
    link->end_told = true;
    taken.ended = true;
    return taken;
  }
  wait_for_more(*link, gather, lock);
  if (link->head == 0 && link->queue.size() <= gather.limit) {
    batch.swap(link->queue);
    compact(*link);
  } else {
    const auto count = std::min(gather.limit, link->queue.size() - link->head);
    const auto first = link->queue.begin() + static_cast<std::ptrdiff_t>(link->head);
    std::move(first, first + static_cast<std::ptrdiff_t>(count), std::back_inserter(batch));
    link->head += count;
    compact(*link);
  }
  const auto items = static_cast<std::size_t>(std::ranges::count(batch, false, &Element::is_watermark));
  link->items -= items;
  link->taken += items;
  const bool wake = writers_wait_ > 0;
  lock.unlock();
  if (wake) not_full_.notify_all();
  return taken;
}

void Inbox::settle() {
  for (Link& link : links_) link.out += std::exchange(link.taken, 0U);
}

void Inbox::close(std::size_t link) {
  {
    const std::lock_guard lock(mutex_);
    links_[link].open = false;
  }
  not_empty_.notify_one();
}

void Inbox::add_ledger(std::vector<wire::LinkLedger>& rows) const {
  for (const Link& link : links_) {
    auto& row = rows.emplace_back();
    row.link = link.options.name;
    row.in = link.in;
    row.out = link.out;
    row.in_flight = link.items + link.taken;
    if (link.dropped > 0)
      row.dropped.emplace_back(link.options.overflow == OverflowPolicy::kSample ? "sampled" : "queue full", link.dropped);
  }
}

}  // namespace moru::edge
