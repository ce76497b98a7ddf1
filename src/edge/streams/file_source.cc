// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/file_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/text.h"

namespace moru::edge {
namespace {

constexpr int kLinesACall = 256;  // so that a stop is seen

}  // namespace

void FileSourceReader::read(ConfigReader& reader) {
  reader.required("path", &path);
  reader.required("fields", &fields);
  reader.optional("time", &options.time);
  reader.choice("time_unit", &options.time_unit, {"iso8601", "s", "ms", "us", "ns"});
  reader.optional("speed", &options.speed, {.min = 0.0, .max = 1e6});
  reader.optional("items", &options.items, {.min = 0, .max = 1e15});
}

Result<FileSourceOptions> FileSourceReader::finish(const ConfigObject& object) {
  options.path = path;
  options.where = object.where();
  MORU_ASSIGN_OR_RETURN(options.fields, read_fields(*fields));
  if (options.speed > 0.0 && options.time.empty())
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found 'speed' without 'time', expected the column or key with the event time", object.where()));
  return std::move(options);
}

Result<LineFile> LineFile::open(const Path& path) {
  LineFile file;
  file.path_ = path;
  file.file_.reset(std::fopen(path.c_str(), "re"));
  if (!file.file_) return fail(errno_error("open", path));
  return file;
}

Result<bool> LineFile::next(std::string& line, bool& too_long) {
  line.clear();
  too_long = false;
  bool any = false;
  for (int c = ::getc_unlocked(file_.get()); c != EOF; c = ::getc_unlocked(file_.get())) {
    any = true;
    if (c == '\n') {
      if (line.ends_with('\r')) line.pop_back();
      return true;
    }
    if (line.size() < kMaxLine) {
      line.push_back(static_cast<char>(c));
    } else {
      too_long = true;
    }
  }
  if (std::ferror(file_.get()) != 0) return fail(errno_error("read", path_));
  return any;
}

FileSource::FileSource(FileSourceOptions options, std::string suffix) : options_(std::move(options)), suffix_(std::move(suffix)) {
  end_ = options_.items == 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(options_.items);
}

Result<Schema> FileSource::bind() { return Schema{.fields = options_.fields}; }

void FileSource::drain_at(std::uint64_t items) { end_ = std::min(end_.load(), items); }

Status FileSource::list_files() {
  std::error_code error;
  if (!std::filesystem::is_directory(options_.path, error)) {
    files_ = {options_.path};
    return {};
  }
  for (std::filesystem::directory_iterator it(options_.path, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == suffix_) files_.push_back(it->path());
  }
  if (error || files_.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: found {} in folder '{}', expected files named *{}", options_.where,
                                                  error ? error.message() : "no such file", options_.path.string(), suffix_));
  }
  std::ranges::sort(files_);
  return {};
}

/// After an error it goes on in the file and behind the line where it was.
Status FileSource::open(const StageContext& context) {
  clock_ = context.clock;
  if (files_.empty()) MORU_RETURN_IF_ERROR(list_files());
  current_.reset();
  if (file_ >= files_.size()) return {};
  MORU_ASSIGN_OR_RETURN(current_, LineFile::open(files_[file_]));
  bool too_long = false;
  for (std::uint64_t i = 0; i < line_; ++i) {
    MORU_ASSIGN_OR_RETURN(const bool more, current_->next(text_, too_long));
    if (!more) break;
  }
  if (line_ == 0) begin_file();
  return {};
}

/// False when all files have been read. What has been read is in pending_, if it was a record.
Result<bool> FileSource::read_item(Output& output) {
  if (file_ >= files_.size()) return false;
  if (!current_) {
    MORU_ASSIGN_OR_RETURN(current_, LineFile::open(files_[file_]));
    begin_file();
  }
  bool too_long = false;
  MORU_ASSIGN_OR_RETURN(const bool more, current_->next(text_, too_long));
  if (!more) {
    current_.reset();
    ++file_;
    line_ = 0;
    return true;
  }
  ++line_;
  if (text_.empty()) return true;
  MORU_ASSIGN_OR_RETURN_IN(fmt::format("'{}' line {}", files_[file_].string(), line_), const bool head, is_head(text_));
  if (head) return true;
  Item item;
  item.event_time = options_.time.empty() ? clock_->wall_now() : 0;
  const std::string_view reason = too_long ? "line too long" : parse(text_, item);
  if (reason.empty()) {
    item.sequence = emitted_ + 1;
    pending_ = std::move(item);
  } else {
    output.drop(reason);
  }
  return true;
}

/// True when the item's time has come.
bool FileSource::wait_for(const Item& item) {
  if (options_.speed <= 0.0) return true;
  if (started_ == 0) {
    started_ = clock_->steady_now();
    first_time_ = item.event_time;
  }
  const double ahead = (static_cast<double>(item.event_time) - static_cast<double>(first_time_)) / options_.speed;
  const TimeNs due = started_ + static_cast<TimeNs>(std::clamp(ahead, -4e18, 4e18));
  if (pace_.wait_for(*clock_, due) < due) return false;
  pending_->emitted = due;
  return true;
}

Result<bool> FileSource::produce(Output& output) {
  for (int i = 0; i < kLinesACall; ++i) {
    if (emitted_ >= end_) return false;
    if (!pending_) {
      MORU_ASSIGN_OR_RETURN(const bool more, read_item(output));
      if (!more) return false;
    }
    if (!pending_) continue;
    if (!wait_for(*pending_)) return true;
    ++emitted_;
    output.emit(std::move(*pending_));
    pending_.reset();
    if (options_.speed > 0.0) return true;
  }
  return true;
}

}  // namespace moru::edge
