// SPDX-License-Identifier: Apache-2.0
// The inside of an outbox, for its three source files: opening (outbox_recover.cc), writing (outbox.cc), reading (outbox_read.cc).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/streams/outbox.h"
#include "edge/streams/outbox_segment.h"
#include "edge/streams/outbox_state.h"

namespace moru::edge {

/// A file of the log. `first` is its name; it holds [first, last], of which some may be damaged.
struct Segment {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t bytes = 0;
};

/// Where read() stopped, so that the next call need not begin at the start of the file.
struct ReadCursor {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t next = 0;
  std::shared_ptr<Descriptor> file;
};

// Locks, in the order in which they are taken: sync_mutex (one fsync at a time), read_mutex (the cursor), mutex (all the rest; never held
// over an fsync, so that append() does not wait for the disk).
struct Outbox::Impl {
  Path folder;
  std::string stream;
  OutboxOptions options;

  std::mutex sync_mutex;
  std::mutex read_mutex;
  ReadCursor cursor;

  mutable std::mutex mutex;
  std::condition_variable durable_changed;
  std::uint64_t wakes = 0;
  std::unique_ptr<OutboxStateFile> state_file;
  OutboxState state;  // state.last: the last durable one
  bool drops_unsynced = false;
  std::uint64_t acks_unsynced = 0;
  std::uint64_t last = 0;  // taken, durable or not
  std::uint64_t sent = 0;
  std::deque<Segment> segments;  // oldest first; the last one is being written when `active` is set
  std::shared_ptr<Descriptor> active;
  std::uint64_t active_durable_bytes = 0;
  std::deque<std::pair<std::uint64_t, Receipt>> receipts;  // of what is not durable yet
  bool folder_changed = false;
  std::uint64_t total_bytes = 0;

  Path path_of(std::uint64_t first) const { return folder / segment_name(first); }

  Status recover(const std::optional<OutboxState>& found);
  Status recover_segment(std::uint64_t first, std::uint64_t before, bool newest);
  void count_lost(std::uint64_t from, std::uint64_t to, DropReason reason);
  Status open_segment();
  Status refuse(DropReason reason, Error error);
  Status append(std::string_view kind, std::string_view body);
  Status sync();
  void sync_failed();
  std::vector<Receipt> take_receipts();
  void write_state();
  Status sync_state();
  Status acknowledge(std::uint64_t sequence);
  Result<std::vector<wire::Record>> read(std::uint64_t after, std::size_t max_records);
  Status read_segment(const Segment& segment, std::uint64_t* next, std::size_t max_records, std::vector<wire::Record>& records);
  void add_lost(std::uint64_t* next, std::uint64_t to, std::size_t max_records, std::vector<wire::Record>& records);
};

}  // namespace moru::edge
