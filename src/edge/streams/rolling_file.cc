// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/rolling_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "core/clock.h"
#include "core/log.h"

namespace moru::edge {
namespace {

constexpr std::uint64_t kWindow = std::uint64_t{64} << 10U;

Path folder_of(const Path& path) { return path.has_parent_path() ? path.parent_path() : Path("."); }

Result<std::string> read_at(int fd, std::uint64_t offset, std::uint64_t size, const Path& path) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = ::pread(fd, bytes.data() + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno_error("read", path));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

/// The offset behind the last line's end.
Result<std::uint64_t> end_of_lines(int fd, std::uint64_t size, const Path& path) {
  while (size > 0) {
    const std::uint64_t begin = size - std::min(size, kWindow);
    MORU_ASSIGN_OR_RETURN(const auto bytes, read_at(fd, begin, size - begin, path));
    if (const auto at = bytes.rfind('\n'); at != std::string::npos) return begin + at + 1;
    size = begin;
  }
  return 0;
}

/// 12 of "x.000012.csv", where stem is "x" and suffix ".csv".
std::optional<std::uint64_t> number_in(std::string_view name, std::string_view stem, std::string_view suffix) {
  if (name.size() <= stem.size() + 1 + suffix.size() || !name.starts_with(stem) || name[stem.size()] != '.' || !name.ends_with(suffix))
    return std::nullopt;
  const auto digits = name.substr(stem.size() + 1, name.size() - stem.size() - 1 - suffix.size());
  std::uint64_t number = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.size() < 6 || read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

Path RollingFile::numbered(std::uint64_t number) const {
  return folder_of(options_.path) / fmt::format("{}.{:06}{}", options_.path.stem().string(), number, options_.path.extension().string());
}

Status RollingFile::list_numbers() {
  numbers_.clear();
  const std::string stem = options_.path.stem().string();
  const std::string suffix = options_.path.extension().string();
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_of(options_.path), error), end; !error && it != end; it.increment(error)) {
    if (const auto number = number_in(it->path().filename().string(), stem, suffix)) numbers_.push_back(*number);
  }
  if (error)
    return fail(ErrorCode::kNotFound, fmt::format("list '{}': {}, expected a folder", folder_of(options_.path).string(), error.message()));
  std::ranges::sort(numbers_);
  return {};
}

Status RollingFile::open_file() {
  fd_ = Descriptor(::open(options_.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (!fd_) return fail(errno_error("open", options_.path));
  struct stat info{};
  if (::fstat(fd_.get(), &info) != 0) return fail(errno_error("stat", options_.path));
  regular_ = S_ISREG(info.st_mode);
  const std::uint64_t known = torn_ == info.st_ino ? size_ : UINT64_MAX;
  size_ = regular_ ? std::min(static_cast<std::uint64_t>(info.st_size), known) : 0;
  torn_ = 0;
  modified_ = TimeNs{info.st_mtim.tv_sec} * kSecond + info.st_mtim.tv_nsec;
  if (!regular_ || ::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) return {};
  return fail(ErrorCode::kUnavailable,
              fmt::format("lock '{}': found another process that writes to it, expected none", options_.path.string()));
}

Status RollingFile::open(bool fresh) {
  MORU_RETURN_IF_ERROR(close());
  Status status = open_file();
  if (status && regular_) status = fresh && ::ftruncate(fd_.get(), 0) != 0 ? fail(errno_error("empty", options_.path)) : Status();
  if (status && regular_ && fresh) size_ = 0;
  if (status && regular_) status = mend();
  if (status && regular_) status = list_numbers();
  if (!status) fd_.reset();
  return status;
}

Status RollingFile::mend() {
  const Descriptor file(::open(options_.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(errno_error("open", options_.path));
  MORU_ASSIGN_OR_RETURN(const std::uint64_t end, end_of_lines(file.get(), size_, options_.path));
  MORU_ASSIGN_OR_RETURN(const auto head, read_at(file.get(), 0, std::min(end, kWindow), options_.path));
  const std::uint64_t begin = end - std::min(end, kWindow);
  MORU_ASSIGN_OR_RETURN(auto tail, read_at(file.get(), begin, end - begin, options_.path));
  first_line_ = head.contains('\n') ? head.substr(0, head.find('\n')) : std::string();
  if (!tail.empty()) tail.pop_back();
  const auto before = tail.rfind('\n');
  last_line_ = before == std::string::npos ? (begin == 0 ? tail : std::string()) : tail.substr(before + 1);
  if (end < size_) MORU_LOG(kWarn, "a torn line is cut off", "file", options_.path.string(), "bytes", size_ - end);
  size_ = end;
  if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) return fail(errno_error("mend", options_.path));
  return {};
}

Status RollingFile::append(std::string_view lines) {
  std::uint64_t written = 0;
  while (written < lines.size()) {
    const ssize_t put = ::write(fd_.get(), lines.data() + written, lines.size() - written);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const auto error = errno_error("write", options_.path);
      if (regular_ && written > 0) cut_back();
      return fail(error);
    }
    written += static_cast<std::uint64_t>(put);
  }
  if (regular_) size_ += lines.size();
  return {};
}

/// Takes back what has been written of lines that are not there whole. Where that fails, too, it is done when the file is opened again.
void RollingFile::cut_back() {
  struct stat info{};
  if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0 && ::fstat(fd_.get(), &info) == 0) torn_ = info.st_ino;
}

Status RollingFile::sync() {
  if (!regular_ || ::fdatasync(fd_.get()) == 0) return {};
  const auto error = errno_error("fsync", options_.path);
  static_cast<void>(put_away());
  return fail(error);
}

/// Renames the file and closes it, and deletes those that are too many.
Status RollingFile::put_away() {
  const std::uint64_t number = numbers_.empty() ? 1 : numbers_.back() + 1;
  const bool renamed = ::rename(options_.path.c_str(), numbered(number).c_str()) == 0;
  const Status status = renamed ? Status() : fail(errno_error("rename", options_.path));
  fd_.reset();
  torn_ = 0;
  if (!renamed) return status;
  numbers_.push_back(number);
  while (options_.keep > 0 && numbers_.size() > static_cast<std::size_t>(options_.keep)) {
    ::unlink(numbered(numbers_.front()).c_str());
    numbers_.pop_front();
  }
  return {};
}

Status RollingFile::roll() {
  if (!regular_) return {};
  if (options_.sync) MORU_RETURN_IF_ERROR(sync());
  MORU_RETURN_IF_ERROR(put_away());
  MORU_RETURN_IF_ERROR(open_file());
  if (options_.sync) MORU_RETURN_IF_ERROR(sync_folder(folder_of(options_.path)));
  return {};
}

Status RollingFile::close() {
  Status status;
  if (fd_ && regular_ && options_.sync && ::fdatasync(fd_.get()) != 0) status = fail(errno_error("fsync", options_.path));
  fd_.reset();
  return status;
}

bool RollingFile::is_gone() const {
  struct stat info{};
  return regular_ && (::fstat(fd_.get(), &info) != 0 || info.st_nlink == 0);
}

}  // namespace moru::edge
