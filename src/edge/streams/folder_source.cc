// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/folder_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <limits>

#include "core/log.h"

namespace moru::edge {
namespace {

constexpr TimeNs kBetweenLooks = 500 * kMillisecond;

TimeNs wall_of(std::filesystem::file_time_type time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::file_clock::to_sys(time).time_since_epoch()).count();
}

/// Why a file goes no further: few words, for they name a counter.
std::string_view reason_of(const Error& error) {
  if (error.code == ErrorCode::kCorrupt) return "damaged file";
  if (error.code == ErrorCode::kUnsupported || error.code == ErrorCode::kInvalidArgument) return "other format";
  if (error.code == ErrorCode::kResourceExhausted) return "file too large";
  return "unreadable file";
}

}  // namespace

void FolderReader::read(ConfigReader& reader) {
  reader.required("path", &path);
  reader.optional("rate_hz", &options.rate_hz, {.min = 0.0, .max = 1e6});
  reader.optional("items", &options.items, {.min = 0, .max = 1e15});
  reader.optional("watch", &options.watch);
  reader.optional("settle_ms", &options.settle_ms, {.min = 1.0, .max = 3.6e6});
  reader.choice("time", &options.time, {"clock", "file"});
}

FolderOptions FolderReader::finish(const ConfigObject& object) {
  options.path = path;
  options.where = object.where();
  return std::move(options);
}

FolderSource::FolderSource(FolderOptions options, std::vector<std::string> suffixes)
    : options_(std::move(options)), suffixes_(std::move(suffixes)) {
  end_ = options_.items == 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(options_.items);
}

void FolderSource::drain_at(std::uint64_t items) { end_ = std::min(end_.load(), items); }

bool FolderSource::is_wanted(const Path& path) const {
  std::string suffix = path.extension().string();
  for (char& c : suffix) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::ranges::find(suffixes_, suffix) != suffixes_.end();
}

/// After an error it goes on where it was.
Status FolderSource::open(const StageContext& context) {
  clock_ = context.clock;
  if (looks_ > 0) return {};
  MORU_RETURN_IF_ERROR(look());
  if (!options_.watch && files_.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: found no file in '{}', expected some named *{}", options_.where,
                                                  options_.path.string(), fmt::join(suffixes_, ", *")));
  }
  return {};
}

/// Lists the folder. What is being watched is read when nobody has written to it for a while: then it is whole. What is written to
/// again is read again.
Status FolderSource::look() {
  const TimeNs now = clock_->steady_now();
  const TimeNs settle = options_.watch ? static_cast<TimeNs>(options_.settle_ms * static_cast<double>(kMillisecond)) : 0;
  next_look_ = now + kBetweenLooks;
  ++looks_;
  const auto see = [&](const Path& path) {
    std::error_code gone;
    const Seen found{.size = std::filesystem::file_size(path, gone), .written = std::filesystem::last_write_time(path, gone), .since = now};
    if (gone) return;
    Seen& seen = seen_.try_emplace(path, found).first->second;
    if (seen.size != found.size || seen.written != found.written) seen = found;
    seen.look = looks_;
    if (seen.taken || now - seen.since < settle) return;
    seen.taken = true;
    files_.push_back(path);
  };
  std::error_code error;
  if (std::filesystem::is_directory(options_.path, error)) {
    for (std::filesystem::directory_iterator it(options_.path, error), end; !error && it != end; it.increment(error)) {
      std::error_code gone;
      if (is_wanted(it->path()) && it->is_regular_file(gone)) see(it->path());
    }
  } else {
    see(options_.path);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(ErrorCode::kIo,
                fmt::format("{}: list '{}': {}, expected a folder", options_.where, options_.path.string(), error.message()));
  std::erase_if(seen_, [&](const auto& entry) { return entry.second.look != looks_; });
  std::ranges::sort(files_, std::greater());
  return {};
}

void FolderSource::drop_file(Output& output, const Error& error) {
  if (!told_) MORU_LOG(kWarn, "a file is dropped; the next ones of a row are only counted", "file", file_.string(), "error", error.message);
  told_ = true;
  in_file_ = false;
  output.drop(reason_of(error));
}

/// Leaves the file's next item in pending_, if it has one.
void FolderSource::read_item(Output& output) {
  if (!in_file_) {
    file_ = std::move(files_.back());
    files_.pop_back();
    std::error_code gone;
    written_ = options_.time == "file" ? wall_of(std::filesystem::last_write_time(file_, gone)) : clock_->wall_now();
    if (const auto begun = begin_file(file_); !begun) return drop_file(output, begun.error());
    in_file_ = true;
  }
  Item item;
  const auto after = next(item);
  if (!after) return drop_file(output, after.error());
  if (!*after) {
    in_file_ = false;
    return;
  }
  told_ = false;
  item.set("file", file_.filename().string());
  item.event_time = written_ + **after;
  pending_ = std::move(item);
}

/// Whether its time has come. What comes late does not make the next ones hurry.
bool FolderSource::is_due(Item& item) {
  if (options_.rate_hz <= 0.0) return true;
  const TimeNs now = clock_->steady_now();
  if (due_ == 0) due_ = now;
  const TimeNs time = pace_.wait_for(*clock_, due_);
  if (time < due_) return false;
  const auto period = period_of(options_.rate_hz);
  item.emitted = due_;
  due_ = std::max(due_ + period, time - period);
  return true;
}

Result<bool> FolderSource::produce(Output& output) {
  if (emitted_ >= end_) return false;
  if (!pending_) {
    if (!in_file_ && options_.watch && clock_->steady_now() >= next_look_) MORU_RETURN_IF_ERROR(look());
    if (!in_file_ && files_.empty()) {
      if (options_.watch) pace_.wait_for(*clock_, next_look_);
      return options_.watch;
    }
    read_item(output);
  }
  if (!pending_ || !is_due(*pending_)) return true;
  pending_->sequence = ++emitted_;
  output.emit(std::move(*pending_));
  pending_.reset();
  return true;
}

}  // namespace moru::edge
