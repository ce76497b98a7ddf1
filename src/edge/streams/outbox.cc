// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/outbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>

#include "core/log.h"
#include "edge/streams/outbox_segment.h"
#include "edge/streams/outbox_state.h"

namespace moru::edge {
namespace {

constexpr std::uint64_t kSmallestSegment = 4096;
constexpr std::uint64_t kAcksPerSync = 512;  // records that may be sent again after a power cut
constexpr std::uint64_t kLargestGap = std::uint64_t{1} << 32U;

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

}  // namespace

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
  void write_state();
  Status sync_state();
  Status acknowledge(std::uint64_t sequence);
  Result<std::vector<wire::Record>> read(std::uint64_t after, std::size_t max_records);
  Status read_segment(const Segment& segment, std::uint64_t* next, std::size_t max_records, std::vector<wire::Record>& records);
  void add_lost(std::uint64_t* next, std::uint64_t to, std::size_t max_records, std::vector<wire::Record>& records);
};

// ---- opening

Status Outbox::Impl::recover(const std::optional<OutboxState>& found) {
  std::vector<std::uint64_t> firsts;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (const auto first = parse_segment_name(it->path().filename().string())) firsts.push_back(*first);
  }
  if (error)
    return fail(ErrorCode::kIo, fmt::format("outbox '{}': list: {}, expected a folder that can be read", folder.string(), error.message()));
  std::ranges::sort(firsts);
  if (found) {
    state = *found;
  } else {
    // The records say where the numbers go on; the counters are lost.
    if (firsts.empty())
      return fail(
          ErrorCode::kCorrupt,
          fmt::format(
              "outbox '{}': found its state damaged and no records, expected either; move the folder away and let the node join anew",
              folder.string()));
    state.acknowledged = firsts.front() - 1;
    state.last = state.acknowledged;
    MORU_LOG(kWarn, "outbox state damaged; counters begin at zero", "folder", folder.string());
  }
  last = state.acknowledged;
  for (std::size_t i = 0; i < firsts.size(); ++i) {
    const bool newest = i + 1 == firsts.size();
    MORU_RETURN_IF_ERROR(recover_segment(firsts[i], newest ? 0 : firsts[i + 1], newest));
  }
  if (state.last > last) {  // it was durable and is gone
    count_lost(last + 1, state.last, DropReason::kCrash);
    last = state.last;
  }
  state.last = last;
  sent = state.acknowledged;
  MORU_RETURN_IF_ERROR(sync_folder(folder));
  return sync_state();
}

/// `before`: the first sequence of the next segment, which wins over what this one has from there on; 0: there is none.
Status Outbox::Impl::recover_segment(std::uint64_t first, std::uint64_t before, bool newest) {
  const Path path = path_of(first);
  MORU_ASSIGN_OR_RETURN(const auto file, open_descriptor(path, O_RDWR));
  const off_t size = ::lseek(file->get(), 0, SEEK_END);
  if (size < 0) return fail(errno_error("size of", path));
  Segment segment{.first = first, .last = first - 1, .bytes = static_cast<std::uint64_t>(size)};
  SegmentScanner scanner(*file, path, segment.bytes, 0, first);
  while (true) {
    MORU_ASSIGN_OR_RETURN(const auto frame, scanner.next());
    if (!frame || (before != 0 && frame->sequence >= before)) break;
    if (frame->sequence - segment.last > kLargestGap || frame->sequence > state.last + kLargestGap) {
      return fail(ErrorCode::kCorrupt, fmt::format("outbox '{}': found record {} after {}, expected the next; move the file away",
                                                   path.string(), frame->sequence, segment.last));
    }
    if (frame->sequence > last + 1) count_lost(last + 1, frame->sequence - 1, DropReason::kDamaged);
    segment.last = frame->sequence;
    last = std::max(last, segment.last);
  }
  if (segment.last < first) {  // nothing whole in it
    if (::unlink(path.c_str()) != 0) return fail(errno_error("remove", path));
    return {};
  }
  if (newest && scanner.offset() < segment.bytes) {
    segment.bytes = scanner.offset();
    if (::ftruncate(file->get(), static_cast<off_t>(segment.bytes)) != 0) return fail(errno_error("cut", path));
  }
  // What a process that was killed had not synced is shown to readers from now on, so it must be durable.
  if (newest && ::fdatasync(file->get()) != 0) return fail(errno_error("fsync", path));
  total_bytes += segment.bytes;
  segments.push_back(segment);
  return {};
}

void Outbox::Impl::count_lost(std::uint64_t from, std::uint64_t to, DropReason reason) {
  from = std::max({from, state.acknowledged + 1, state.damage_counted + 1});
  if (from > to) return;
  state.drop(reason, to - from + 1);
  state.damage_counted = to;
  drops_unsynced = true;
}

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

Status Outbox::Impl::append(std::string_view kind, std::string_view body) {
  const std::lock_guard lock(mutex);
  if (kind.empty() || kind.size() > kMaxKind || body.size() > kMaxRecordBytes) {
    return refuse(DropReason::kTooLarge,
                  {ErrorCode::kInvalidArgument,
                   fmt::format("outbox '{}': found a record of kind '{}' with {} bytes, expected a kind and at most {} bytes",
                               folder.string(), kind.substr(0, kMaxKind), body.size(), kMaxRecordBytes)});
  }
  const std::string frame = encode_frame(last + 1, kind, body);
  if (total_bytes + frame.size() > options.max_bytes) {
    return refuse(DropReason::kOutboxFull,
                  {ErrorCode::kResourceExhausted, fmt::format("outbox '{}': found {} bytes waiting for the hub, expected at most {}",
                                                              folder.string(), total_bytes, options.max_bytes)});
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
  return state_file->sync();
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
    const std::lock_guard lock(mutex);
    if (!status) {
      sync_failed();
      return status;
    }
    state.last = target;
    active_durable_bytes = bytes;
    if (bytes >= options.segment_bytes && last == target) active.reset();
    write_state();
    durable_changed.notify_all();
  }
  if (drops) MORU_RETURN_IF_ERROR(sync_state());
  return {};
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

// ---- reading

/// Records that stand in for the sequences [*next, to].
void Outbox::Impl::add_lost(std::uint64_t* next, std::uint64_t to, std::size_t max_records, std::vector<wire::Record>& records) {
  if (*next > to || records.size() >= max_records) return;
  const std::uint64_t first = *next;
  for (; *next <= to && records.size() < max_records; ++*next) {
    records.push_back({.sequence = *next, .kind = std::string(kLostKind), .body = R"({"lost":"damaged"})"});
  }
  const std::lock_guard lock(mutex);
  count_lost(first, *next - 1, DropReason::kDamaged);
  write_state();
}

Status Outbox::Impl::read_segment(const Segment& segment, std::uint64_t* next, std::size_t max_records,
                                  std::vector<wire::Record>& records) {
  const Path path = path_of(segment.first);
  if (cursor.segment != segment.first || cursor.next > *next || !cursor.file) {
    auto file = open_descriptor(path, O_RDONLY);
    if (!file && file.error().code == ErrorCode::kNotFound) {
      const std::lock_guard lock(mutex);
      if (state.acknowledged >= segment.last) *next = state.acknowledged + 1;  // gone since we looked, as it should
      return {};
    }
    if (!file) return fail(file.error());
    cursor = {.segment = segment.first, .offset = 0, .next = segment.first, .file = *file};
  }
  SegmentScanner scanner(*cursor.file, path, segment.bytes, cursor.offset, cursor.next);
  while (records.size() < max_records && *next <= segment.last) {
    MORU_ASSIGN_OR_RETURN(auto frame, scanner.next());
    if (!frame || frame->sequence > segment.last) return {};
    if (frame->sequence >= *next) {
      add_lost(next, frame->sequence - 1, max_records, records);
      if (*next < frame->sequence || records.size() >= max_records) return {};  // the frame comes with the next call
      records.push_back({.sequence = frame->sequence, .kind = std::move(frame->kind), .body = std::move(frame->body)});
      *next = frame->sequence + 1;
    }
    cursor.offset = scanner.offset();
    cursor.next = frame->sequence + 1;
  }
  return {};
}

Result<std::vector<wire::Record>> Outbox::Impl::read(std::uint64_t after, std::size_t max_records) {
  const std::lock_guard one(read_mutex);
  std::uint64_t next = 0;
  std::uint64_t durable = 0;
  std::vector<Segment> todo;
  {
    const std::lock_guard lock(mutex);
    next = std::max(after, state.acknowledged) + 1;
    durable = state.last;
    for (const Segment& segment : segments) {
      if (segment.last >= next && segment.first <= durable) todo.push_back(segment);
    }
    if (active && !todo.empty() && todo.back().first == segments.back().first) {
      todo.back().bytes = active_durable_bytes;
      todo.back().last = durable;
    }
  }
  std::vector<wire::Record> records;
  for (const Segment& segment : todo) {
    if (records.size() >= max_records) return records;
    add_lost(&next, segment.first - 1, max_records, records);
    MORU_RETURN_IF_ERROR(read_segment(segment, &next, max_records, records));
    add_lost(&next, segment.last, max_records, records);
  }
  add_lost(&next, durable, max_records, records);
  return records;
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

Status Outbox::append(std::string_view kind, std::string body) { return impl_->append(kind, body); }
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
