// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/inbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/log.h"

namespace moru::edge {
namespace {

constexpr std::size_t kRefill = 256;          // items that come from disk at once
constexpr TimeNs kReadPause = kSecond;        // after the disk could not be read
constexpr TimeNs kLook = 100 * kMillisecond;  // between two looks at what has come home

}  // namespace

Inbox::Inbox(std::vector<LinkOptions> links, std::mutex& mutex) : mutex_(mutex) {
  for (auto& options : links) links_.emplace_back().options = std::move(options);
}

Status Inbox::open_spills(const StageContext& context) {
  for (Link& link : links_) {
    if (link.options.overflow != OverflowPolicy::kSpill) continue;
    SpillOptions options = link.options.spill;
    if (options.folder.empty() && context.state.empty())
      return fail(ErrorCode::kNotFound,
                  fmt::format("link '{}': found no folder to go on in on disk, expected spill: {{folder: PATH}}, or a "
                              "place for the stream's state",
                              link.options.name));
    if (options.folder.empty()) {
      const auto& name = link.options.name;
      const auto arrow = name.find("->");  // names of stages have no dot
      options.folder = context.state / "spill" / fmt::format("{}.{}", name.substr(0, arrow), name.substr(arrow + 2));
    }
    MORU_ASSIGN_OR_RETURN(link.spill, Spill::open(options, context.stream, *context.clock));
    link.in = link.spill->stored();
    clock_ = context.clock;
    stop_ = context.stop;
  }
  return {};
}

void Inbox::push(std::size_t index, std::vector<Element>& batch) {
  std::vector<Element> thrown_away;  // dies after the lock is released: freeing an image takes time
  Link& link = links_[index];
  bool sync = false;
  std::unique_lock lock(mutex_);
  for (Element& element : batch) {
    if (link.spill) {
      sync = push_or_spill(link, element, lock, thrown_away) || sync;
    } else if (element.is_watermark) {
      put(link, std::move(element));
    } else {
      const bool room = make_room(link, element, lock, thrown_away);
      ++link.in;
      room ? put(link, std::move(element)) : void(++link.dropped);
    }
  }
  const bool wake = reader_waits_;
  lock.unlock();
  batch.clear();
  if (wake) not_empty_.notify_one();
  // A sender waits for these: they are stored once they are durable.
  if (sync) link.spill->sync();
}

/// True when the item lies on disk and its sender waits to hear of it.
bool Inbox::push_or_spill(Link& link, Element& element, std::unique_lock<std::mutex>& lock, std::vector<Element>& thrown_away) {
  if (element.is_watermark) {
    link.spill->stored() > 0 ? void(link.behind = element.item.event_time) : put(link, std::move(element));
    return false;
  }
  const auto room = [&] { return link.items < link.options.capacity; };
  const bool acknowledged = static_cast<bool>(element.item.receipt);
  while (link.spill->stored() > 0 || !room()) {
    const auto status = link.spill->append(element.item, link.behind);
    if (status) {
      ++link.in;
      link.behind.reset();
      return acknowledged;
    }
    if (!may_pass(status.error().code)) {
      ++link.in;
      ++link.too_large;
      thrown_away.push_back(std::move(element));
      return false;
    }
    if (reader_waits_) not_empty_.notify_one();
    ++writers_wait_;
    const std::uint64_t seen = progress_;
    spill_room_.wait(lock, stop_, [&] { return progress_ != seen; });
    // What is on disk stays there now; what comes still goes all the way.
    if (stop_.stop_requested()) not_full_.wait(lock, room);
    --writers_wait_;
    if (stop_.stop_requested()) break;
  }
  ++link.in;
  put(link, std::move(element));
  return false;
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
    case OverflowPolicy::kSpill: return true;  // see push_or_spill()
    case OverflowPolicy::kSample: break;
  }
  element.number = link.number++;
  while (element.number % link.stride == 0 && link.items >= link.options.capacity) thin(link, thrown_away);
  return element.number % link.stride == 0;
}

void Inbox::put(Link& link, Element&& element) {
  if (element.is_watermark) {
    // A later one says all that the one before it has said, unless it only says that there is nothing to wait for.
    if (!link.empty() && link.queue.back().is_watermark && element.item.event_time != kIdleTime) link.queue.pop_back();
  } else {
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

bool Inbox::can_refill(const Link& link) const {
  return link.spill && !stop_.stop_requested() && (link.spill->stored() > 0 || link.spill->has_returned()) &&
         clock_->steady_now() >= link.read_again_at;
}

/// Brings the next items from disk; the lock is released meanwhile: the writer goes on.
void Inbox::refill(Link& link, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  auto read = link.spill->read(std::min(link.options.capacity, kRefill));
  lock.lock();
  link.disk_full += link.spill->take_lost();
  if (!read || read->empty()) link.read_again_at = clock_->steady_now() + kReadPause;
  if (!read) {
    MORU_LOG(kError, "spilled items not read", "link", link.options.name, "error", read.error().message);
    return;
  }
  const auto put_watermark = [&](TimeNs time) {
    Element element{.item = {}, .is_watermark = true};
    element.item.event_time = time;
    put(link, std::move(element));
  };
  for (Spill::Element& element : *read) {
    element.again ? void(++link.in) : link.spill->advance(1);
    if (element.watermark) put_watermark(*element.watermark);
    element.item ? put(link, Element{.item = std::move(*element.item)}) : void(++link.damaged);
  }
  if (link.spill->stored() == 0 && link.behind) put_watermark(*std::exchange(link.behind, std::nullopt));
  ++progress_;
  if (writers_wait_ > 0) spill_room_.notify_all();
}

/// What is out of a spilled queue comes home without waking anybody, so it is looked for.
TimeNs Inbox::next_look(TimeNs deadline) const {
  const bool look =
      std::ranges::any_of(links_, [](const Link& link) { return link.spill && (link.spill->stored() > 0 || link.spill->has_open()); });
  return look ? std::min(deadline, clock_->steady_now() + kLook) : deadline;
}

/// What came back from disk behind its link's end is taken before another end is told: after the last one nobody takes anything.
bool Inbox::may_end() const {
  return std::ranges::all_of(links_, [](const Link& link) { return !link.end_told || link.empty(); });
}

Inbox::Link* Inbox::next_ready() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[(turn_ + i) % links_.size()];
    if (link.empty() && !can_refill(link) && (link.open || link.end_told || !may_end())) continue;
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

/// Null when the time is over, or all links have ended.
Inbox::Link* Inbox::wait_for_ready(std::unique_lock<std::mutex>& lock, Clock& clock, TimeNs deadline) {
  while (!std::ranges::all_of(links_, &Link::end_told)) {
    if (Link* const link = next_ready()) {
      if (!link->empty() || !can_refill(*link)) return link;
      refill(*link, lock);
      continue;
    }
    if (deadline != kNeverDue && clock.steady_now() >= deadline) return nullptr;
    const TimeNs look = next_look(deadline);
    reader_waits_ = true;
    look == kNeverDue ? not_empty_.wait(lock) : clock.wait_until(lock, not_empty_, look);
    reader_waits_ = false;
  }
  return nullptr;
}

std::optional<Inbox::Taken> Inbox::take(std::vector<Element>& batch, const Gather& gather) {
  batch.clear();
  for (const Link& link : links_) {
    if (link.spill) link.spill->tidy();
  }
  std::unique_lock lock(mutex_);
  Link* const link = wait_for_ready(lock, *gather.clock, gather.deadline);
  if (link == nullptr && !std::ranges::all_of(links_, &Link::end_told)) return Taken{};
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
  ++progress_;
  lock.unlock();
  if (wake) not_full_.notify_all();
  if (wake && clock_ != nullptr) spill_room_.notify_all();
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
    row.stored = link.spill ? link.spill->stored() : 0;
    const auto add = [&](std::string_view reason, std::uint64_t count) {
      if (count > 0) row.dropped.emplace_back(reason, count);
    };
    add(link.options.overflow == OverflowPolicy::kSample ? "sampled" : "queue full", link.dropped);
    add("too large", link.too_large);
    add("disk full", link.disk_full);
    add("damaged", link.damaged);
  }
}

}  // namespace moru::edge
