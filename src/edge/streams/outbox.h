// SPDX-License-Identifier: Apache-2.0
// The durable link from a node to its hub: a bounded log on disk. A record that append() has taken is there after a
// crash; it leaves only when the receiver has said that it is stored.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "edge/streams/stage.h"
#include "wire/messages.h"

namespace moru::edge {

/// The kind that goes first where there is little room.
inline constexpr std::string_view kUrgentKind = "alert";
/// Largest body of a record, as in wire::Record.
inline constexpr std::size_t kMaxRecordBytes = 16U << 10U;

struct OutboxOptions {
  std::uint64_t max_bytes = std::uint64_t{256} << 20U;    ///< beyond: the new record is dropped("outbox full") and counted
  std::uint64_t segment_bytes = std::uint64_t{1} << 20U;  ///< a file of the log is closed at the first sync() beyond
  std::size_t max_record_bytes = kMaxRecordBytes;         ///< of a body
  double urgent_share = 0.125;                            ///< of max_bytes, kept free for records of the kind kUrgentKind
};

/// The kind of the record that stands in for one whose bytes were lost on disk, so that sequence numbers have no holes;
/// its body is {"lost": "damaged"}. The loss itself is counted in the ledger.
inline constexpr std::string_view kLostKind = "lost";

/// Threads: all functions from any thread. Order: sequence numbers grow by one, from 1, across restarts.
class Outbox final : public Resource {
 public:
  /// Opens or makes the log in `folder`; a torn tail from a crash is cut off and counted as dropped(crash) only where
  /// the ledger had taken it. Errors: kUnavailable when another process has it open, kInvalidArgument when it is
  /// another stream's, kCorrupt, kIo.
  static Result<std::shared_ptr<Outbox>> open(const Path& folder, std::string stream, const OutboxOptions& options = {});
  ~Outbox() override;

  /// Takes a record; durable once sync() has returned. Cost: a memory copy and a write without fsync.
  /// Errors: kResourceExhausted (full), kIo (the disk), kInvalidArgument (too large). Each is told once and the record
  /// is in the ledger as dropped with its reason; the next append tries afresh. A share of `receipt` is kept until the record is
  /// durable, and revoked where the disk refuses to keep it.
  Status append(std::string_view kind, std::string_view body, const Receipt& receipt = {});
  /// fsync of what was appended since; records become visible to read() only then. When fsync fails nobody knows what
  /// is on disk, so all that was appended since the last good one is dropped("disk full"), counted, and a new file begun.
  Status sync();
  /// Up to `max_records` durable records after `after` and after what is acknowledged, in order.
  Result<std::vector<wire::Record>> read(std::uint64_t after, std::size_t max_records) const;
  /// Waits until there is a durable record after `after`, or wake(), or the timeout. True when there is one.
  bool wait_for_records(std::uint64_t after, TimeNs timeout) const;
  /// Lets every wait_for_records() return now.
  void wake();
  /// The receiver has stored everything up to `sequence`; segments that are all acknowledged are deleted. Written down
  /// in batches: after a power cut records may be sent again, which the receiver sees by their numbers.
  /// Errors: kInvalidArgument for a number that was never durable.
  Status acknowledge(std::uint64_t sequence);
  /// What was handed to the network and is not acknowledged, for the ledger ("in flight").
  void mark_sent(std::uint64_t sequence);
  /// After a lost connection: nothing is in flight any more.
  void mark_unsent();

  /// Exact across restarts. in = last() + what was refused or lost; out = what the receiver has stored.
  wire::LinkLedger ledger() const;
  std::uint64_t acknowledged() const;
  /// The last record that append() took, durable or not yet.
  std::uint64_t last() const;

 private:
  struct Impl;
  explicit Outbox(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace moru::edge
