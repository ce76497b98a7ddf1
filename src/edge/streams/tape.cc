// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/tape.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "core/text.h"
#include "edge/streams/outbox_segment.h"

namespace moru::edge {
namespace {

constexpr std::string_view kMagic = "MORUTAP1";
constexpr std::size_t kRecordHead = 8;                        // u32 size | u32 crc
constexpr std::size_t kMaxBody = std::size_t{256} << 20U;     // an item of images
constexpr std::size_t kFlushBytes = std::size_t{256} << 10U;  // and a second: what a crash may take
constexpr std::size_t kElementHead = 1 + 4 + 8 + 8;           // kind, source, wall, steady
constexpr std::size_t kMaxSources = 4096;
constexpr TimeNs kFarthest = TimeNs{1} << 61;  // 73 years: sums of two stay in range

void put_i64(std::string& out, TimeNs value) { put_u64(out, static_cast<std::uint64_t>(value)); }
TimeNs get_i64(std::string_view bytes, std::size_t at) { return static_cast<TimeNs>(get_u64(bytes, at)); }

void put_text(std::string& out, std::string_view text) {
  put_u32(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

/// Takes a text off the front of `bytes`; nothing where it is not whole.
std::optional<std::string> take_text(std::string_view& bytes) {
  if (bytes.size() < 4) return std::nullopt;
  const std::size_t size = get_u32(bytes, 0);
  if (bytes.size() - 4 < size) return std::nullopt;
  std::string text(bytes.substr(4, size));
  bytes.remove_prefix(4 + size);
  return text;
}

/// Of a monotonic time, which a replay moves; and of a wall time, which it does not.
bool in_range(TimeNs steady, TimeNs wall) {
  return steady >= -kFarthest && steady <= kFarthest && wall >= -2 * kFarthest && wall <= 2 * kFarthest;
}

std::uint32_t record_crc(std::string_view size, std::string_view body) { return crc32c(body, crc32c(size)); }

}  // namespace

Result<std::unique_ptr<TapeWriter>> TapeWriter::create(const Path& path, const TapeHead& head, std::uint64_t max_bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0 && errno == EEXIST) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("recording '{}': found a file of that name, expected none; name another or remove it", path.string()));
  }
  if (fd < 0) return fail(errno_error("create", path));
  std::unique_ptr<TapeWriter> writer(new TapeWriter(path, fd, max_bytes));
  writer->flushed_ = head.steady;
  writer->buffer_ = kMagic;
  put_i64(writer->body_, head.wall);
  put_i64(writer->body_, head.steady);
  put_text(writer->body_, head.stream);
  put_u32(writer->body_, static_cast<std::uint32_t>(head.sources.size()));
  for (const auto& source : head.sources) put_text(writer->body_, source);
  writer->append_record(writer->body_);
  MORU_RETURN_IF_ERROR(writer->flush());
  return writer;
}

TapeWriter::~TapeWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void TapeWriter::append_record(std::string_view body) {
  std::string size;
  put_u32(size, static_cast<std::uint32_t>(body.size()));
  buffer_ += size;
  put_u32(buffer_, record_crc(size, body));
  buffer_ += body;
}

Status TapeWriter::write(const TapeElement& element) {
  if (failure_) return fail(*failure_);
  body_.clear();
  body_.push_back(static_cast<char>(element.kind));
  put_u32(body_, element.source);
  put_i64(body_, element.wall);
  put_i64(body_, element.steady);
  if (element.kind == TapeKind::kItem) {
    put_i64(body_, element.item.emitted);
    append_item_bytes(body_, element.item);
  } else if (element.kind == TapeKind::kWatermark) {
    put_i64(body_, element.item.event_time);
  }
  if (body_.size() > kMaxBody || bytes() + kRecordHead + body_.size() > max_bytes_) {
    failure_ = Error{ErrorCode::kResourceExhausted,
                     fmt::format("recording '{}': found {}, and {} more do not fit, expected at most {}", path_.string(),
                                 human_bytes(bytes()), human_bytes(body_.size()), human_bytes(max_bytes_))};
    return fail(*failure_);
  }
  append_record(body_);
  if (buffer_.size() < kFlushBytes && element.steady - flushed_ < kSecond) return {};
  flushed_ = element.steady;
  return flush();
}

Status TapeWriter::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t count = ::write(fd_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      failure_ = errno_error("write", path_);
      // A record of which a part is there is no record: what is whole stays.
      static_cast<void>(::ftruncate(fd_, static_cast<off_t>(written_)));
      buffer_.clear();
      return fail(*failure_);
    }
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

Status TapeWriter::close() {
  MORU_RETURN_IF_ERROR(flush());
  if (::fsync(fd_) != 0) return fail(errno_error("fsync", path_));
  return sync_folder(path_.has_parent_path() ? path_.parent_path() : Path("."));
}

Result<std::unique_ptr<TapeReader>> TapeReader::open(const Path& path) {
  std::FILE* const file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return fail(errno_error("open", path));
  return read(file, path.string());
}

Result<std::unique_ptr<TapeReader>> TapeReader::read(std::FILE* file, std::string name) {
  std::unique_ptr<TapeReader> reader(new TapeReader(file, std::move(name)));
  MORU_RETURN_IF_ERROR(reader->read_head());
  return reader;
}

Error TapeReader::corrupt(std::string_view what) const {
  return {ErrorCode::kCorrupt,
          fmt::format("recording '{}': byte {}: found {}, expected what `moru stream record` writes", name_, at_, what)};
}

Status TapeReader::read_head() {
  std::string magic(kMagic.size(), '\0');
  if (std::fread(magic.data(), 1, magic.size(), file_.get()) != magic.size() || magic != kMagic) return fail(corrupt("another file"));
  at_ = kMagic.size();
  MORU_ASSIGN_OR_RETURN(const bool whole, next_body());
  std::string_view rest = body_;
  if (!whole || rest.size() < 16) return fail(corrupt("no head"));
  head_.wall = get_i64(rest, 0);
  head_.steady = get_i64(rest, 8);
  rest.remove_prefix(16);
  auto stream = take_text(rest);
  if (!in_range(head_.steady, head_.wall)) return fail(corrupt("a time out of range"));
  if (!stream || rest.size() < 4 || get_u32(rest, 0) > kMaxSources) return fail(corrupt("a damaged head"));
  head_.stream = std::move(*stream);
  const std::uint32_t count = get_u32(rest, 0);
  rest.remove_prefix(4);
  for (std::uint32_t i = 0; i < count; ++i) {
    auto name = take_text(rest);
    if (!name) return fail(corrupt("a damaged head"));
    head_.sources.push_back(std::move(*name));
  }
  return rest.empty() ? Status() : Status(fail(corrupt("a damaged head")));
}

/// Counts what is left, which is no whole record.
Result<bool> TapeReader::tear() {
  std::string rest(std::size_t{64} << 10U, '\0');
  for (std::size_t count = 1; count > 0; torn_bytes_ += count) count = std::fread(rest.data(), 1, rest.size(), file_.get());
  if (std::ferror(file_.get()) != 0) return fail(errno_error("read", name_));
  return false;
}

/// False at the end of what is whole.
Result<bool> TapeReader::next_body() {
  std::string head(kRecordHead, '\0');
  const std::size_t got = std::fread(head.data(), 1, head.size(), file_.get());
  torn_bytes_ = got;
  if (got != head.size()) return tear();
  const std::size_t size = get_u32(head, 0);
  if (size > kMaxBody) return tear();
  body_.clear();
  // In pieces: a size that is not true must not cost memory.
  while (body_.size() < size) {
    const std::size_t before = body_.size();
    body_.resize(std::min(size, before + kFlushBytes));
    const std::size_t count = std::fread(body_.data() + before, 1, body_.size() - before, file_.get());
    torn_bytes_ += count;
    if (count != body_.size() - before) return tear();
  }
  if (record_crc(std::string_view(head).substr(0, 4), body_) != get_u32(head, 4)) return tear();
  torn_bytes_ = 0;
  at_ += kRecordHead + size;
  return true;
}

Result<std::optional<TapeElement>> TapeReader::next() {
  MORU_ASSIGN_OR_RETURN(const bool whole, next_body());
  if (!whole) return std::optional<TapeElement>();
  const std::string_view body = body_;
  if (body.size() < kElementHead) return fail(corrupt("a record that is too short"));
  TapeElement element{
      .kind = static_cast<TapeKind>(body[0]), .source = get_u32(body, 1), .wall = get_i64(body, 5), .steady = get_i64(body, 13)};
  const std::string_view rest = body.substr(kElementHead);
  if (!in_range(element.steady, element.wall)) return fail(corrupt("a time out of range"));
  const bool of_a_source = element.kind != TapeKind::kDue;
  if (of_a_source && element.source >= head_.sources.size())
    return fail(corrupt(fmt::format("source {} of {}", element.source, head_.sources.size())));
  switch (element.kind) {
    case TapeKind::kItem:
      if (rest.size() < 8 || !in_range(get_i64(rest, 0), 0)) return fail(corrupt("an item without the time when it was emitted"));
      {
        MORU_ASSIGN_OR_RETURN_IN(fmt::format("recording '{}': byte {}", name_, at_), element.item, items_.read(rest.substr(8)));
        element.item.emitted = get_i64(rest, 0);
      }
      return std::optional(std::move(element));
    case TapeKind::kWatermark:
      if (rest.size() != 8) break;
      element.item.event_time = get_i64(rest, 0);
      return std::optional(std::move(element));
    case TapeKind::kEnd:
    case TapeKind::kDue:
      if (!rest.empty()) break;
      return std::optional(std::move(element));
  }
  return fail(corrupt(fmt::format("a record of kind {} and {} bytes", static_cast<int>(element.kind), rest.size())));
}

}  // namespace moru::edge
