// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <algorithm>

#include "edge/streams/outbox_impl.h"

namespace moru::edge {

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
  SegmentScanner scanner(*cursor.file, path, segment.bytes, cursor.offset, cursor.next, options.max_record_bytes);
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

}  // namespace moru::edge
