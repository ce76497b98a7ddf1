// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/dead_letters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/json.h"
#include "core/log.h"
#include "edge/streams/item_json.h"

namespace moru::edge {
namespace {

/// What a stage is for is no fault of an item, and neither is the end of the stream.
constexpr std::array<std::string_view, 10> kNoFault = {"filtered", "no change", "no alert", "duplicate", "rate",
                                                       "no match", "not read",  "stopped",  "stale",     "not prepared"};
constexpr std::size_t kMaxRaw = 64U << 10U;  // of bytes that were no item

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

Path old_path(const Path& path) {
  Path old = path;
  old += ".old";
  return old;
}

}  // namespace

Result<DeadLetterOptions> read_dead_letters(const ConfigObject& object) {
  DeadLetterOptions options;
  std::string path;
  if (object.is_scalar()) {
    path = object.scalar();
  } else {
    std::int64_t max_bytes = static_cast<std::int64_t>(options.max_bytes);
    ConfigReader reader(object);
    reader.required("path", &path);
    reader.optional("max_bytes", &max_bytes, {.min = 4096, .max = 1e12});
    reader.optional("reasons", &options.reasons);
    MORU_RETURN_IF_ERROR(reader.finish());
    options.max_bytes = static_cast<std::uint64_t>(max_bytes);
  }
  if (path.empty())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}, expected dead_letters: FILE", object.where(), object.found()));
  options.path = path;
  return options;
}

Result<std::shared_ptr<DeadLetters>> DeadLetters::open(DeadLetterOptions options, std::string stream, Clock& clock) {
  std::shared_ptr<DeadLetters> letters(new DeadLetters(std::move(options), std::move(stream), clock));
  MORU_RETURN_IF_ERROR(letters->begin_file());
  return letters;
}

Status DeadLetters::begin_file() {
  file_.reset(std::fopen(options_.path.c_str(), "ae"));
  if (!file_) return fail(errno_error("create", options_.path));
  const long end = std::fseek(file_.get(), 0, SEEK_END) == 0 ? std::ftell(file_.get()) : 0;
  bytes_ = static_cast<std::uint64_t>(std::max(end, 0L));
  return {};
}

bool DeadLetters::is_wanted(std::string_view reason) const {
  if (!options_.reasons.empty()) return std::ranges::find(options_.reasons, reason) != options_.reasons.end();
  return std::ranges::find(kNoFault, reason) == kNoFault.end();
}

void DeadLetters::add(std::string_view stage, std::string_view reason, std::string_view detail, const Item& item) {
  if (!is_wanted(reason)) return;
  Json json = item_json(item, {}, 0);
  json.erase("latency_us");
  json["dead.stream"] = stream_;
  json["dead.stage"] = stage;
  json["dead.reason"] = reason;
  if (!detail.empty()) json["dead.detail"] = detail;
  json["dead.at"] = clock_.wall_now();
  write(text_of(json));
}

void DeadLetters::add_raw(std::string_view stage, std::string_view reason, std::string_view raw) {
  if (!is_wanted(reason)) return;
  write(text_of({{"dead.stream", stream_},
                 {"dead.stage", stage},
                 {"dead.reason", reason},
                 {"dead.raw", raw.substr(0, kMaxRaw)},
                 {"dead.at", clock_.wall_now()}}));
}

/// The file becomes the old one, and that one goes.
bool DeadLetters::rotate() {
  file_.reset();
  counts_.discarded += old_lines_;
  old_lines_ = std::exchange(lines_, 0U);
  return std::rename(options_.path.c_str(), old_path(options_.path).c_str()) == 0 && begin_file();
}

void DeadLetters::write(std::string line) {
  const std::lock_guard lock(mutex_);
  bool works = file_ != nullptr || begin_file().has_value();
  if (works && bytes_ > 0 && bytes_ + line.size() > options_.max_bytes / 2) works = rotate();
  // Flushed at once: what was rejected must be seen, and comes seldom.
  works = works && std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() && std::fflush(file_.get()) == 0;
  if (works) {
    bytes_ += line.size();
    ++lines_;
    ++counts_.written;
  } else {
    file_.reset();  // its half line ends with what comes next
    ++counts_.failed;
  }
  if (failing_ == works) {
    failing_ = !works;
    if (failing_) MORU_LOG(kError, "dead letters cannot be written", "path", options_.path.string());
  }
}

DeadLetters::Counts DeadLetters::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace moru::edge
