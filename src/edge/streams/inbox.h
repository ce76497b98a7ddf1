// SPDX-License-Identifier: Apache-2.0
// The bounded queues in front of a lane, one a link, with the ledger of each.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "edge/streams/item.h"
#include "edge/streams/stream.h"
#include "wire/messages.h"

namespace moru::edge {

/// An item, or the word that event time has come to `item.event_time`.
struct Element {
  Item item;
  bool is_watermark = false;
  std::uint64_t number = 0;  ///< of a link that samples: which it is since the queue was empty
};

/// One writer a link, one reader. Elements move in batches; waiters are parked. Threads: push() and close() from the link's
/// writer, take() and settle() from the reader, the rest from any thread.
/// Invariant, whenever the lock is free: in = out + in_flight + dropped, per link. What the reader has taken is in flight until
/// settle(), so that the counts of the lane's stages, written under the same lock, fit it at every moment.
class Inbox {
 public:
  struct LinkOptions {
    std::string name;  ///< "source->infer"
    std::size_t capacity;
    OverflowPolicy overflow;
  };
  Inbox(std::vector<LinkOptions> links, std::mutex& mutex);

  /// Puts all of `batch` in, in order, and empties it. When the link is full: waits (kBlock), throws away the oldest
  /// (kDropOldest, "queue full"), or keeps every second, fourth, ... item until the queue has been empty (kSample, "sampled").
  /// Watermarks take no room.
  void push(std::size_t link, std::vector<Element>& batch);
  struct Taken {
    std::size_t link = 0;
    bool ended = false;  ///< nothing more comes by this link, ever; told once
  };
  struct Gather {
    std::size_t limit = 1;   ///< elements to take at once
    Clock* clock = nullptr;  ///< of `wait`
    TimeNs wait = 0;         ///< for more, where several have come but not `limit`
  };
  /// Up to `limit` elements of one link, in order, the links in turn; waits for some. Null once all links have ended.
  std::optional<Taken> take(std::vector<Element>& batch, const Gather& gather);
  /// What was taken has been handled. The lock is held by the caller, who writes down the stages' counts under it.
  void settle();
  /// This link's writer is done.
  void close(std::size_t link);
  /// The lock is held by the caller.
  void add_ledger(std::vector<wire::LinkLedger>& rows) const;

 private:
  struct Link {
    LinkOptions options;
    std::vector<Element> queue;  ///< from `head` on
    std::size_t head = 0;
    std::size_t items = 0;  ///< of the elements in the queue, those that are no watermarks
    std::uint64_t in = 0;
    std::uint64_t out = 0;
    std::uint64_t dropped = 0;
    std::uint64_t taken = 0;
    std::uint64_t number = 0;  ///< of the next item; kSample
    std::uint64_t stride = 1;  ///< an item in so many is kept; kSample
    bool open = true;
    bool end_told = false;
    bool empty() const { return head == queue.size(); }
  };
  static void put(Link& link, Element&& element);
  bool make_room(Link& link, Element& element, std::unique_lock<std::mutex>& lock, std::vector<Element>& thrown_away);
  static void drop_oldest(Link& link, std::vector<Element>& thrown_away);
  static void thin(Link& link, std::vector<Element>& thrown_away);
  static void compact(Link& link);
  Link* next_ready();
  void wait_for_more(const Link& link, const Gather& gather, std::unique_lock<std::mutex>& lock);

  std::mutex& mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::vector<Link> links_;
  std::size_t turn_ = 0;
  bool reader_waits_ = false;
  std::size_t writers_wait_ = 0;
};

}  // namespace moru::edge
