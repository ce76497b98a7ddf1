// SPDX-License-Identifier: Apache-2.0
// The bounded queues in front of a lane, one a link, with the ledger of each.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "edge/streams/item.h"
#include "edge/streams/spill.h"
#include "edge/streams/stream.h"
#include "wire/messages.h"

namespace moru::edge {

/// What a watermark says of an input from which nothing is to be waited for.
inline constexpr TimeNs kIdleTime = std::numeric_limits<TimeNs>::max();

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
    SpillOptions spill = {};
  };
  Inbox(std::vector<LinkOptions> links, std::mutex& mutex);

  /// Opens what queues go on in on disk, with the items of an earlier run. Errors: kNotFound without a folder; those of Spill::open.
  Status open_spills(const StageContext& context);
  /// Puts all of `batch` in, in order, and empties it. When the link is full: waits (kBlock), throws away the oldest
  /// (kDropOldest, "queue full"), keeps every second, fourth, ... item until the queue has been empty (kSample, "sampled"), or puts
  /// it on disk, from where it comes when those before it have gone (kSpill); waits when that is full, too.
  /// Watermarks take no room.
  void push(std::size_t link, std::vector<Element>& batch);
  struct Taken {
    std::size_t link = 0;
    bool ended = false;  ///< nothing more comes by this link, ever; told once
  };
  struct Gather {
    std::size_t limit = 1;        ///< elements to take at once
    Clock* clock = nullptr;       ///< of the times below
    TimeNs wait = 0;              ///< for more, where several have come but not `limit`
    TimeNs deadline = kNeverDue;  ///< monotonic: when to come back although nothing has come
  };
  /// Up to `limit` elements of one link, in order, the links in turn; waits for some until the deadline, and then gives none. Null once all
  /// links have ended.
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
    std::uint64_t dropped = 0;  ///< by the policy
    std::uint64_t taken = 0;
    std::uint64_t number = 0;  ///< of the next item; kSample
    std::uint64_t stride = 1;  ///< an item in so many is kept; kSample
    std::unique_ptr<Spill> spill;
    std::optional<TimeNs> behind;  ///< a watermark that came after all that is on disk
    std::uint64_t too_large = 0;
    std::uint64_t disk_full = 0;  ///< the disk refused to keep them
    std::uint64_t damaged = 0;
    TimeNs read_again_at = 0;  ///< the disk could not be read
    bool open = true;
    bool end_told = false;
    bool empty() const { return head == queue.size(); }
  };
  static void put(Link& link, Element&& element);
  bool make_room(Link& link, Element& element, std::unique_lock<std::mutex>& lock, std::vector<Element>& thrown_away);
  static void drop_oldest(Link& link, std::vector<Element>& thrown_away);
  static void thin(Link& link, std::vector<Element>& thrown_away);
  static void compact(Link& link);
  bool push_or_spill(Link& link, Element& element, std::unique_lock<std::mutex>& lock, std::vector<Element>& thrown_away);
  bool can_refill(const Link& link) const;
  void refill(Link& link, std::unique_lock<std::mutex>& lock);
  TimeNs next_look(TimeNs deadline) const;
  bool may_end() const;
  Link* next_ready();
  Link* wait_for_ready(std::unique_lock<std::mutex>& lock, Clock& clock, TimeNs deadline);
  void wait_for_more(const Link& link, const Gather& gather, std::unique_lock<std::mutex>& lock);

  std::mutex& mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::condition_variable_any spill_room_;
  std::stop_token stop_;
  Clock* clock_ = nullptr;  ///< where a queue goes on on disk
  std::uint64_t progress_ = 0;
  std::vector<Link> links_;
  std::size_t turn_ = 0;
  bool reader_waits_ = false;
  std::size_t writers_wait_ = 0;
};

}  // namespace moru::edge
