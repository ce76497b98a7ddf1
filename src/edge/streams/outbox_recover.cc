// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "core/log.h"
#include "edge/streams/outbox_impl.h"

namespace moru::edge {

namespace {
constexpr std::uint64_t kLargestGap = std::uint64_t{1} << 32U;  // of lost records; more is damage of another kind
}

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
  SegmentScanner scanner(*file, path, segment.bytes, 0, first, options.max_record_bytes);
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

}  // namespace moru::edge
