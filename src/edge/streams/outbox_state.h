// SPDX-License-Identifier: Apache-2.0
// What an outbox must remember beside its records: how far they are acknowledged, and what was dropped.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"
#include "edge/streams/outbox_segment.h"

namespace moru::edge {

enum class DropReason : std::uint8_t { kOutboxFull, kDiskFull, kTooLarge, kCrash, kDamaged };
inline constexpr std::size_t kDropReasons = 5;
std::string_view to_string(DropReason reason);

struct OutboxState {
  std::uint64_t acknowledged = 0;
  std::uint64_t last = 0;            ///< the last durable sequence
  std::uint64_t damage_counted = 0;  ///< lost sequences up to this one are in `dropped` already
  std::array<std::uint64_t, kDropReasons> dropped{};

  void drop(DropReason reason, std::uint64_t count = 1) { dropped[static_cast<std::size_t>(reason)] += count; }
  std::uint64_t dropped_total() const;
};

/// A file of two slots that is written in place, so that a full disk cannot stop it: its size never changes. The newer
/// whole slot counts. A slot lies in one sector, and the one that was made durable last is not the one being written.
/// Threads: as told at each function.
class OutboxStateFile {
 public:
  /// Opens or makes it and locks it against other processes. Errors: kUnavailable when it is locked, kInvalidArgument
  /// when it is another stream's. `*state` is empty when both slots are damaged.
  static Result<std::unique_ptr<OutboxStateFile>> open(const Path& path, std::string_view stream, std::optional<OutboxState>* state);

  /// Hands it to the operating system: safe against the end of this process. One caller at a time.
  Status write(const OutboxState& state);
  /// Writes to the other slot from now on. Call it before sync(), by the rule of write().
  void next_slot() { slot_ = 1 - slot_; }
  /// Makes what was written safe against the end of the machine. From any thread.
  Status sync();

 private:
  OutboxStateFile(std::shared_ptr<Descriptor> file, Path path, std::string stream)
      : file_(std::move(file)), path_(std::move(path)), stream_(std::move(stream)) {}
  std::shared_ptr<Descriptor> file_;
  Path path_;
  std::string stream_;
  std::uint64_t generation_ = 0;
  std::uint64_t slot_ = 0;
};

}  // namespace moru::edge
