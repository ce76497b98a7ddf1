// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/file_sink.h"

#include <limits>
#include <utility>

namespace moru::edge {

void FileSinkReader::read(ConfigReader& reader) {
  reader.required("path", &path);
  reader.optional("fields", &options.fields);
  reader.optional("append", &options.append);
  reader.choice("sync", &options.sync, {"file", "group", "never"});
  reader.optional("max_mb", &options.max_mb, {.min = 0.0, .max = 1e9});
  reader.optional("max_age_s", &options.max_age_s, {.min = 0.0, .max = 1e9});
  reader.choice("age", &options.age, {"wall", "event"});
  reader.optional("keep", &options.keep, {.min = 0, .max = 1e6});
}

FileSinkOptions FileSinkReader::finish(const ConfigObject& object) {
  options.path = path;
  options.where = object.where();
  return std::move(options);
}

FileSink::FileSink(FileSinkOptions options)
    : options_(std::move(options)),
      max_bytes_(options_.max_mb > 0.0 ? static_cast<std::uint64_t>(options_.max_mb * 1e6) : std::numeric_limits<std::uint64_t>::max()),
      max_age_(static_cast<TimeNs>(options_.max_age_s * static_cast<double>(kSecond))),
      file_({.path = options_.path, .keep = options_.keep, .sync = options_.sync != "never"}) {}

/// Spans are counted from 1970, so that a file a day is one from midnight to midnight, whenever the program started.
std::int64_t FileSink::age_of(TimeNs time) const { return time / max_age_ - (time % max_age_ < 0 ? 1 : 0); }

Status FileSink::open(const StageContext& context) {
  clock_ = context.clock;
  MORU_RETURN_IF_ERROR(file_.open(!options_.append && !opened_));
  opened_ = true;
  age_.reset();
  if (file_.size_bytes() > 0 && max_age_ > 0) {
    const auto time = options_.age == "wall" ? file_.modified() : time_of(file_.last_line());
    if (time) age_ = age_of(*time);
  }
  // A file whose lines mean something else is not ours to go on with.
  if (file_.size_bytes() > 0 && file_.first_line() != head() && !head().empty()) MORU_RETURN_IF_ERROR(file_.roll());
  return begin_file();
}

Status FileSink::begin_file() {
  if (file_.size_bytes() > 0 || head().empty()) return {};
  return file_.append(head() + "\n");
}

/// An item that is late by one span stays in the file at hand: else the last and the first items of two spans would make a file each.
bool FileSink::is_old(const Item& item, TimeNs wall) const {
  if (max_age_ <= 0 || !age_) return false;
  const std::int64_t age = age_of(options_.age == "wall" ? wall : item.event_time);
  return age != *age_ && age != *age_ - 1;
}

Result<GroupSink::Stored> FileSink::store(std::span<const Item> items) {
  if (!file_.is_open() || file_.is_gone()) {
    MORU_RETURN_IF_ERROR(file_.open(false));
    MORU_RETURN_IF_ERROR(begin_file());
  }
  const TimeNs wall = clock_->wall_now();
  const TimeNs now = clock_->steady_now();
  lines_.clear();
  Stored stored;
  for (const Item& item : items) {
    const std::size_t before = lines_.size();
    add_line(item, now, lines_);
    const bool first = before == 0 && (file_.size_bytes() <= (head().empty() ? 0 : head().size() + 1));
    if (!first && (is_old(item, wall) || file_.size_bytes() + lines_.size() > max_bytes_)) {
      lines_.resize(before);
      break;
    }
    if (max_age_ > 0 && !age_) age_ = age_of(options_.age == "wall" ? wall : item.event_time);
    ++stored.items;
  }
  if (stored.items == 0) {
    MORU_RETURN_IF_ERROR(file_.roll());
    age_.reset();
    MORU_RETURN_IF_ERROR(begin_file());
    return store(items);
  }
  MORU_RETURN_IF_ERROR(file_.append(lines_));
  if (options_.sync == "group") MORU_RETURN_IF_ERROR(file_.sync());
  return stored;
}

}  // namespace moru::edge
