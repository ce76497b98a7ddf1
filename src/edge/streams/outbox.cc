// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/outbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "core/log.h"
#include "edge/streams/outbox_impl.h"

namespace moru::edge {
namespace {

constexpr std::uint64_t kSmallestSegment = 4096;
constexpr std::uint64_t kAcksPerSync = 512;  // records that may be sent again after a power cut

}  // namespace

// ---- writing

void Outbox::Impl::write_state() {
  // Written in place in a file that has its full size, so only a broken disk can refuse; the next write tries again.
  if (const auto status = state_file->write(state); !status) MORU_LOG(kError, "outbox state not written", "error", status.error().message);
}

Status Outbox::Impl::refuse(DropReason reason, Error error) {
  state.drop(reason);
  drops_unsynced = true;
  write_state();
  return fail(std::move(error));
}

Status Outbox::Impl::open_segment() {
  // An older try of the same number may have left a file that nothing in it was ever counted of: it is emptied.
  MORU_ASSIGN_OR_RETURN(active, open_descriptor(path_of(last + 1), O_RDWR | O_CREAT | O_TRUNC));
  segments.push_back({.first = last + 1, .last = last, .bytes = 0});
  active_durable_bytes = 0;
  folder_changed = true;
  return {};
}

/// The lock is held by the caller.
Status Outbox::Impl::append(std::string_view kind, std::string_view body) {
  if (kind.empty() || kind.size() > kMaxKind || body.size() > options.max_record_bytes) {
    return refuse(DropReason::kTooLarge,
                  {ErrorCode::kInvalidArgument,
                   fmt::format("outbox '{}': found a record of kind '{}' with {} bytes, expected a kind and at most {} bytes",
                               folder.string(), kind.substr(0, kMaxKind), body.size(), options.max_record_bytes)});
  }
  const std::string frame = encode_frame(last + 1, kind, body);
  const double share = kind == kUrgentKind ? 1.0 : 1.0 - options.urgent_share;
  const auto limit = static_cast<std::uint64_t>(share * static_cast<double>(options.max_bytes));
  if (total_bytes + frame.size() > limit) {
    return refuse(DropReason::kOutboxFull,
                  {ErrorCode::kResourceExhausted, fmt::format("outbox '{}': found {} bytes waiting for the hub, expected at most {}",
                                                              folder.string(), total_bytes, limit)});
  }
  if (!active) {
    if (auto status = open_segment(); !status) return refuse(DropReason::kDiskFull, std::move(status).error());
  }
  Segment& segment = segments.back();
  if (auto status = write_at(*active, frame, segment.bytes, path_of(segment.first)); !status) {
    // Half a frame is cut off; where even that fails the next frame is written over it, and recovery steps over the rest.
    if (::ftruncate(active->get(), static_cast<off_t>(segment.bytes)) != 0)
      MORU_LOG(kWarn, "outbox segment not cut", "folder", folder.string());
    return refuse(DropReason::kDiskFull, std::move(status).error());
  }
  segment.bytes += frame.size();
  total_bytes += frame.size();
  segment.last = ++last;
  return {};
}

Status Outbox::Impl::sync_state() {
  {
    const std::lock_guard lock(mutex);
    write_state();
    state_file->next_slot();
    drops_unsynced = false;
    acks_unsynced = 0;
  }
  auto status = state_file->sync();
  if (!status) {
    // The other slot is still the one that is known to be on disk: it must not be written next.
    const std::lock_guard lock(mutex);
    state_file->next_slot();
  }
  return status;
}

Status Outbox::Impl::sync() {
  const std::lock_guard one(sync_mutex);
  std::shared_ptr<Descriptor> file;
  std::uint64_t target = 0;
  std::uint64_t bytes = 0;
  bool new_names = false;
  bool drops = false;
  {
    const std::lock_guard lock(mutex);
    drops = drops_unsynced;
    if (last > state.last) {
      file = active;
      target = last;
      bytes = segments.back().bytes;
      new_names = std::exchange(folder_changed, false);
    }
  }
  if (file) {
    Status status;
    if (::fdatasync(file->get()) != 0) status = fail(errno_error("fsync", folder));
    if (status && new_names) status = sync_folder(folder);
    std::vector<Receipt> settled;  // dies after the lock is released: sources are told
    const std::lock_guard lock(mutex);
    if (!status) {
      sync_failed();
      settled = take_receipts();
      return status;
    }
    state.last = target;
    active_durable_bytes = bytes;
    if (bytes >= options.segment_bytes && last == target) active.reset();
    settled = take_receipts();
    write_state();
    durable_changed.notify_all();
  }
  if (drops) MORU_RETURN_IF_ERROR(sync_state());
  return {};
}

/// Those of what is durable now, and revoked those of what has been given up.
std::vector<Receipt> Outbox::Impl::take_receipts() {
  std::vector<Receipt> taken;
  while (!receipts.empty() && receipts.front().first <= state.last) {
    taken.push_back(std::move(receipts.front().second));
    receipts.pop_front();
  }
  while (!receipts.empty() && receipts.back().first > last) {
    receipts.back().second.revoke();
    taken.push_back(std::move(receipts.back().second));
    receipts.pop_back();
  }
  return taken;
}

/// After a failed fsync the kernel may have thrown the pages away and will say "done" the next time, so the file is
/// given up from its last good byte on. Readers never saw those records, so their numbers can be used again.
void Outbox::Impl::sync_failed() {
  const std::uint64_t lost = last - state.last;
  Segment& segment = segments.back();
  const Path path = path_of(segment.first);
  total_bytes -= segment.bytes - active_durable_bytes;
  segment.bytes = active_durable_bytes;
  segment.last = state.last;
  last = state.last;
  if (segment.bytes == 0) {
    ::unlink(path.c_str());
    segments.pop_back();
  } else if (::ftruncate(active->get(), static_cast<off_t>(segment.bytes)) != 0) {
    // The next segment begins at the first number that was given up, and recovery lets the newer segment win.
    MORU_LOG(kError, "outbox segment not cut", "file", path.string());
  }
  active.reset();
  folder_changed = true;
  state.drop(DropReason::kDiskFull, lost);
  drops_unsynced = true;
  write_state();
}

Status Outbox::Impl::acknowledge(std::uint64_t sequence) {
  bool deletable = false;
  {
    const std::lock_guard lock(mutex);
    if (sequence > state.last) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("outbox '{}': found an acknowledgement of record {}, expected at most {}",
                                                           folder.string(), sequence, state.last));
    }
    if (sequence <= state.acknowledged) return {};
    acks_unsynced += sequence - state.acknowledged;
    state.acknowledged = sequence;
    sent = std::max(sent, sequence);
    write_state();
    deletable = segments.size() > (active ? 1U : 0U) && segments.front().last <= sequence;
    if (!deletable && acks_unsynced < kAcksPerSync) return {};
  }
  // Written down before the records go, else a power cut would leave a hole that looks like damage.
  const std::lock_guard one(sync_mutex);
  MORU_RETURN_IF_ERROR(sync_state());
  std::vector<Path> gone;
  {
    const std::lock_guard lock(mutex);
    while (segments.size() > (active ? 1U : 0U) && segments.front().last <= sequence) {
      gone.push_back(path_of(segments.front().first));
      total_bytes -= segments.front().bytes;
      segments.pop_front();
    }
  }
  for (const Path& path : gone) {
    if (::unlink(path.c_str()) != 0) return fail(errno_error("remove", path));
  }
  return {};
}

// ---- the face

Outbox::Outbox(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Outbox::~Outbox() {
  if (const auto status = impl_->sync(); !status) MORU_LOG(kError, "outbox not synced", "error", status.error().message);
  if (const auto status = impl_->sync_state(); !status) MORU_LOG(kError, "outbox state not synced", "error", status.error().message);
}

Result<std::shared_ptr<Outbox>> Outbox::open(const Path& folder, std::string stream, const OutboxOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->folder = folder;
  impl->stream = std::move(stream);
  impl->options = options;
  // Several segments within the bound, so that acknowledged ones can go while the newest is written.
  impl->options.segment_bytes = std::clamp(options.segment_bytes, kSmallestSegment, std::max(kSmallestSegment, options.max_bytes / 8));
  MORU_RETURN_IF_ERROR(make_folders(folder, 0700));
  std::optional<OutboxState> state;
  MORU_ASSIGN_OR_RETURN(impl->state_file, OutboxStateFile::open(folder / "state", impl->stream, &state));
  MORU_RETURN_IF_ERROR(impl->recover(state));
  return std::shared_ptr<Outbox>(new Outbox(std::move(impl)));
}

Status Outbox::append(std::string_view kind, std::string_view body, const Receipt& receipt) {
  const std::lock_guard lock(impl_->mutex);
  MORU_RETURN_IF_ERROR(impl_->append(kind, body));
  if (receipt) impl_->receipts.emplace_back(impl_->last, receipt);
  return {};
}
Status Outbox::sync() { return impl_->sync(); }
Result<std::vector<wire::Record>> Outbox::read(std::uint64_t after, std::size_t max_records) const {
  return impl_->read(after, max_records);
}
Status Outbox::acknowledge(std::uint64_t sequence) { return impl_->acknowledge(sequence); }

bool Outbox::wait_for_records(std::uint64_t after, TimeNs timeout) const {
  std::unique_lock lock(impl_->mutex);
  const auto wakes = impl_->wakes;
  impl_->durable_changed.wait_for(lock, std::chrono::nanoseconds(timeout),
                                  [&] { return impl_->state.last > after || impl_->wakes != wakes; });
  return impl_->state.last > after;
}

void Outbox::wake() {
  {
    const std::lock_guard lock(impl_->mutex);
    ++impl_->wakes;
  }
  impl_->durable_changed.notify_all();
}

void Outbox::mark_sent(std::uint64_t sequence) {
  const std::lock_guard lock(impl_->mutex);
  impl_->sent = std::max(impl_->sent, std::min(sequence, impl_->state.last));
}

void Outbox::mark_unsent() {
  const std::lock_guard lock(impl_->mutex);
  impl_->sent = impl_->state.acknowledged;
}

wire::LinkLedger Outbox::ledger() const {
  const std::lock_guard lock(impl_->mutex);
  const auto& state = impl_->state;
  wire::LinkLedger row;
  row.link = fmt::format("{}->hub", impl_->stream);
  row.in = impl_->last + state.dropped_total();
  row.out = state.acknowledged;
  row.in_flight = impl_->sent - state.acknowledged;
  row.stored = impl_->last - impl_->sent;
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    if (state.dropped[i] > 0) row.dropped.emplace_back(to_string(static_cast<DropReason>(i)), state.dropped[i]);
  }
  return row;
}

std::uint64_t Outbox::acknowledged() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->state.acknowledged;
}

std::uint64_t Outbox::last() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->last;
}

}  // namespace moru::edge
