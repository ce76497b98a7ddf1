// SPDX-License-Identifier: Apache-2.0
// The bounded queue in front of one stage, with the ledger of each link that ends in it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "edge/streams/item.h"
#include "edge/streams/stream.h"
#include "wire/messages.h"

namespace moru::edge {

/// Several writers (one a link), one reader. Waiters are parked. Threads: all functions from any thread, take() from one.
/// Invariant, at every moment: in = out + in_flight + dropped, per link.
class Inbox {
 public:
  /// `links`: the links' names, "source->infer"; their index is the writer's number.
  Inbox(std::vector<std::string> links, std::size_t capacity, OverflowPolicy overflow);

  /// Puts an item in. When it is full: waits (kBlock), or throws away the oldest, which is dropped("queue full").
  void push(std::size_t link, Item item);
  /// The oldest item; waits for one. Nothing once every link is closed and all has been taken.
  std::optional<Item> take();
  /// This writer is done.
  void close(std::size_t link);
  std::vector<wire::LinkLedger> ledger() const;

 private:
  struct Entry {
    std::size_t link;
    Item item;
  };
  struct Link {
    std::string name;
    std::uint64_t in = 0;
    std::uint64_t out = 0;
    std::uint64_t dropped = 0;
    std::uint64_t queued = 0;
    bool open = true;
  };

  const std::size_t capacity_;
  const OverflowPolicy overflow_;
  mutable std::mutex mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<Entry> queue_;
  std::vector<Link> links_;
  std::size_t open_links_;
  bool reader_waits_ = false;
  std::size_t writers_wait_ = 0;
};

}  // namespace moru::edge
