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

struct OutboxOptions {
  std::uint64_t max_bytes = std::uint64_t{256} << 20U;  ///< beyond: the new record is dropped("outbox full") and counted
  std::uint64_t segment_bytes = std::uint64_t{1} << 20U;
};

/// Threads: all functions from any thread. Order: sequence numbers grow by one, from 1, across restarts.
class Outbox final : public Resource {
 public:
  /// Opens or makes the log in `folder`; a torn tail from a crash is cut off and counted as dropped(crash) only where
  /// the ledger had taken it.
  static Result<std::shared_ptr<Outbox>> open(const Path& folder, std::string stream, const OutboxOptions& options = {});
  ~Outbox() override;

  /// Takes a record; durable once sync() has returned. Cost: a memory copy and a write without fsync.
  Status append(std::string_view kind, std::string body);
  /// fsync of what was appended since; records become visible to read() only then.
  Status sync();
  /// Up to `max_records` durable records after `after`, in order.
  Result<std::vector<wire::Record>> read(std::uint64_t after, std::size_t max_records) const;
  /// The receiver has stored everything up to `sequence`; segments that are all acknowledged are deleted.
  Status acknowledge(std::uint64_t sequence);
  /// What was handed to the network and is not acknowledged, for the ledger ("in flight").
  void mark_sent(std::uint64_t sequence);
  /// After a lost connection: nothing is in flight any more.
  void mark_unsent();

  /// Exact across restarts.
  wire::LinkLedger ledger() const;
  std::uint64_t acknowledged() const;
  std::uint64_t last() const;

 private:
  struct Impl;
  explicit Outbox(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace moru::edge
