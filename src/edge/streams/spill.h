// SPDX-License-Identifier: Apache-2.0
// The part of a queue that lies on disk: a bounded log of items, in order, that a kill or a power cut does not take.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "edge/streams/item_bytes.h"
#include "edge/streams/outbox.h"

namespace moru::edge {

struct SpillOptions {
  Path folder;                                          ///< of this queue alone
  std::uint64_t max_bytes = std::uint64_t{256} << 20U;  ///< then the queue's writer waits
};

/// Items go in at one end and come out at the other, each with a receipt: it leaves the disk when that has come home, and comes out
/// again when it was revoked, now or in the next run. Threads: one writer (append, sync), one reader (read, tidy); append() and the
/// counts need the lock of the queue.
class Spill {
 public:
  /// Opens or makes it; what an earlier run left comes out first. Errors: those of Outbox::open.
  static Result<std::unique_ptr<Spill>> open(const SpillOptions& options, const std::string& stream, Clock& clock);
  ~Spill();

  /// Takes the item and, in front of it, how far event time had come. A memory copy and a write. Errors: kResourceExhausted and kIo
  /// when there is no room: the item is left as it was; kInvalidArgument for an item that is too large for any disk.
  Status append(Item& item, std::optional<TimeNs> watermark);
  /// Makes durable what was appended, and lets go of its receipts. False when it could not be: then so many are lost, see lost().
  bool sync();
  /// Items that were given up since it was last asked, because the disk refused to keep them.
  std::uint64_t take_lost();
  /// Items on disk that have not come out.
  std::uint64_t stored() const { return written_ - read_; }

  struct Element {
    std::optional<TimeNs> watermark;  ///< comes before the item
    std::optional<Item> item;         ///< none: its bytes are damaged, or gone with a power cut
    bool again = false;               ///< it came out before
  };
  /// The next ones; those first that were revoked, after a pause. Errors: kIo; try again later.
  Result<std::vector<Element>> read(std::size_t limit);
  /// So many have left with the last read.
  void advance(std::uint64_t items) { read_ += items; }
  /// Removes from the disk what has come home. Cheap when nothing has.
  void tidy();
  /// Whether some came home revoked and their pause is over.
  bool has_returned() const;
  /// Items that came out and have not come home, or not for good.
  bool has_open() const;

 private:
  Spill(std::shared_ptr<Outbox> log, Clock& clock);
  void settle(std::uint64_t number, Outcome outcome);
  Element decode(const wire::Record& record);
  Status read_returned(std::vector<Element>& elements, std::size_t limit);

  std::shared_ptr<Outbox> log_;
  Clock& clock_;
  ItemReader reader_;
  std::shared_ptr<ReceiptBook> book_;
  std::string bytes_;
  std::uint64_t written_;  ///< number of the last one
  std::uint64_t read_;
  mutable std::mutex mutex_;          ///< of those below
  std::set<std::uint64_t> done_;      ///< not acknowledged yet, since one before them is out
  std::set<std::uint64_t> returned_;  ///< revoked
  std::uint64_t home_;                ///< all up to this one are done
  int returns_ = 0;                   ///< in a row
  TimeNs return_at_ = 0;              ///< when returned ones may come out again
};

}  // namespace moru::edge
