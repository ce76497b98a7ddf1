// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/outbox_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <numeric>

namespace moru::edge {
namespace {

constexpr std::string_view kMagic = "MORUOBS1";
constexpr std::uint64_t kSlotStride = 4096;  // one slot a page
constexpr std::size_t kMaxStream = 64;
// Magic, generation, three numbers, the counters, u8 + the stream's name, CRC-32C.
constexpr std::size_t kSlotBytes = 8 + 8 + 24 + 8 * kDropReasons + 1 + kMaxStream + 4;
static_assert(kSlotBytes <= 512, "a slot must lie in one sector");

struct Slot {
  std::uint64_t generation = 0;
  std::string stream;
  OutboxState state;
};

std::string encode(const Slot& slot) {
  std::string bytes(kMagic);
  put_u64(bytes, slot.generation);
  put_u64(bytes, slot.state.acknowledged);
  put_u64(bytes, slot.state.last);
  put_u64(bytes, slot.state.damage_counted);
  for (const auto count : slot.state.dropped) put_u64(bytes, count);
  bytes.push_back(static_cast<char>(slot.stream.size()));
  bytes.append(slot.stream);
  bytes.resize(kSlotBytes - 4, '\0');
  put_u32(bytes, crc32c(bytes));
  return bytes;
}

std::optional<Slot> decode(std::string_view bytes) {
  if (bytes.size() < kSlotBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  bytes = bytes.substr(0, kSlotBytes);
  if (crc32c(bytes.substr(0, kSlotBytes - 4)) != get_u32(bytes, kSlotBytes - 4)) return std::nullopt;
  Slot slot;
  slot.generation = get_u64(bytes, 8);
  slot.state.acknowledged = get_u64(bytes, 16);
  slot.state.last = get_u64(bytes, 24);
  slot.state.damage_counted = get_u64(bytes, 32);
  std::size_t at = 40;
  for (auto& count : slot.state.dropped) {
    count = get_u64(bytes, at);
    at += 8;
  }
  const std::size_t size = static_cast<unsigned char>(bytes[at]);
  if (size > kMaxStream) return std::nullopt;
  slot.stream = bytes.substr(at + 1, size);
  return slot;
}

}  // namespace

std::string_view to_string(DropReason reason) {
  switch (reason) {
    case DropReason::kOutboxFull: return "outbox full";
    case DropReason::kDiskFull: return "disk full";
    case DropReason::kTooLarge: return "too large";
    case DropReason::kCrash: return "crash";
    case DropReason::kDamaged: return "damaged";
  }
  return "unknown";
}

std::uint64_t OutboxState::dropped_total() const { return std::accumulate(dropped.begin(), dropped.end(), std::uint64_t{0}); }

Result<std::unique_ptr<OutboxStateFile>> OutboxStateFile::open(const Path& path, std::string_view stream,
                                                               std::optional<OutboxState>* state) {
  if (stream.empty() || stream.size() > kMaxStream) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("outbox '{}': found stream name '{}', expected 1 to {} bytes", path.string(), stream, kMaxStream));
  }
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    std::string first = encode({.generation = 1, .stream = std::string(stream), .state = {}});
    first.resize(2 * kSlotStride, '\0');
    MORU_RETURN_IF_ERROR(write_file_atomic(path, first, 0600));
  }
  MORU_ASSIGN_OR_RETURN(auto file, open_descriptor(path, O_RDWR));
  if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("outbox '{}': found it in use by another process, expected to be its only user", path.string()));
  }
  MORU_ASSIGN_OR_RETURN(const auto bytes, read_file(path, 4 * kSlotStride));
  std::unique_ptr<OutboxStateFile> result(new OutboxStateFile(std::move(file), path, std::string(stream)));
  for (const std::uint64_t slot : {std::uint64_t{0}, std::uint64_t{1}}) {
    if (bytes.size() < slot * kSlotStride) continue;
    const auto found = decode(std::string_view(bytes).substr(slot * kSlotStride));
    if (!found || found->generation <= result->generation_) continue;
    if (found->stream != stream) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("outbox '{}': found the records of stream '{}', expected those of '{}'; give each stream a folder of its own",
                              path.string(), found->stream, stream));
    }
    result->generation_ = found->generation;
    result->slot_ = 1 - slot;
    *state = found->state;
  }
  return result;
}

Status OutboxStateFile::write(const OutboxState& state) {
  return write_at(*file_, encode({.generation = ++generation_, .stream = stream_, .state = state}), slot_ * kSlotStride, path_);
}

Status OutboxStateFile::sync() {
  if (::fdatasync(file_->get()) != 0) return fail(errno_error("fsync", path_));
  return {};
}

}  // namespace moru::edge
