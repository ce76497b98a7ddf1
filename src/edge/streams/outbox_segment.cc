// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/outbox_segment.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "edge/streams/outbox.h"

namespace moru::edge {
namespace {

constexpr std::size_t kMaxPayload = 1 + kMaxKind + kMaxRecordBytes;
constexpr std::size_t kWindow = std::size_t{64} << 10U;
/// A frame whose number is further on than this is no frame but chance: a segment never holds so many.
constexpr std::uint64_t kLongestJump = std::uint64_t{1} << 32U;

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);
    table[i] = value;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

}  // namespace

Result<std::shared_ptr<Descriptor>> open_descriptor(const Path& path, int flags, unsigned mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return fail(errno_error("open", path));
  return std::make_shared<Descriptor>(fd);
}

Status write_at(const Descriptor& file, std::string_view bytes, std::uint64_t offset, const Path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return fail(errno_error("write", path));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) {
  std::uint32_t crc = ~seed;
  for (const char c : bytes) crc = (crc >> 8U) ^ kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xFFU];
  return ~crc;
}

void put_u32(std::string& out, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>((value >> shift) & 0xFFU));
}

void put_u64(std::string& out, std::uint64_t value) {
  for (unsigned shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>((value >> shift) & 0xFFU));
}

std::uint32_t get_u32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return value;
}

std::uint64_t get_u64(std::string_view bytes, std::size_t at) {
  return std::uint64_t{get_u32(bytes, at)} | (std::uint64_t{get_u32(bytes, at + 4)} << 32U);
}

std::string encode_frame(std::uint64_t sequence, std::string_view kind, std::string_view body) {
  std::string frame;
  frame.reserve(kFrameHead + 1 + kind.size() + body.size());
  put_u32(frame, static_cast<std::uint32_t>(1 + kind.size() + body.size()));
  put_u32(frame, 0);
  put_u64(frame, sequence);
  frame.push_back(static_cast<char>(kind.size()));
  frame.append(kind);
  frame.append(body);
  // The checksum covers the size too: a flipped bit in it must not make a frame of other bytes.
  std::string crc;
  put_u32(crc, crc32c(std::string_view(frame).substr(8), crc32c(std::string_view(frame).substr(0, 4))));
  frame.replace(4, 4, crc);
  return frame;
}

std::string segment_name(std::uint64_t first) { return fmt::format("{:020}.log", first); }

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  constexpr std::string_view kSuffix = ".log";
  if (name.size() != 20 + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint64_t first = 0;
  const std::string_view digits = name.substr(0, name.size() - kSuffix.size());
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), first);
  if (error != std::errc() || end != digits.data() + digits.size() || first == 0) return std::nullopt;
  return first;
}

SegmentScanner::SegmentScanner(const Descriptor& file, Path path, std::uint64_t size, std::uint64_t offset, std::uint64_t expected)
    : file_(file), path_(std::move(path)), size_(size), offset_(offset), expected_(expected) {}

Result<std::string_view> SegmentScanner::bytes(std::uint64_t at, std::size_t size) {
  if (at >= size_) return std::string_view();
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, size_ - at));
  if (at < window_at_ || at + size > window_at_ + window_.size()) {
    window_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(std::max(size, kWindow), size_ - at)));
    window_at_ = at;
    std::size_t have = 0;
    while (have < window_.size()) {
      const ssize_t got = ::pread(file_.get(), window_.data() + have, window_.size() - have, static_cast<off_t>(at + have));
      if (got < 0) {
        if (errno == EINTR) continue;
        window_.clear();
        return fail(errno_error("read", path_));
      }
      if (got == 0) break;
      have += static_cast<std::size_t>(got);
    }
    window_.resize(have);
  }
  return std::string_view(window_).substr(static_cast<std::size_t>(at - window_at_), size);
}

/// The frame that begins at `at`, if there is a whole one with a number that may come next.
Result<std::optional<Frame>> SegmentScanner::frame_at(std::uint64_t at) {
  MORU_ASSIGN_OR_RETURN(const auto head, bytes(at, kFrameHead));
  if (head.size() < kFrameHead) return std::optional<Frame>();
  const std::size_t size = get_u32(head, 0);
  const std::uint64_t sequence = get_u64(head, 8);
  if (size == 0 || size > kMaxPayload || sequence < expected_ || sequence - expected_ > kLongestJump) return std::optional<Frame>();
  MORU_ASSIGN_OR_RETURN(const auto frame, bytes(at, kFrameHead + size));
  if (frame.size() < kFrameHead + size) return std::optional<Frame>();
  if (crc32c(frame.substr(8), crc32c(frame.substr(0, 4))) != get_u32(frame, 4)) return std::optional<Frame>();
  const std::size_t kind = static_cast<unsigned char>(frame[kFrameHead]);
  if (1 + kind > size) return std::optional<Frame>();
  return std::optional<Frame>(
      Frame{sequence, std::string(frame.substr(kFrameHead + 1, kind)), std::string(frame.substr(kFrameHead + 1 + kind))});
}

Result<std::optional<Frame>> SegmentScanner::next() {
  for (std::uint64_t at = offset_; at + kFrameHead < size_; ++at) {
    MORU_ASSIGN_OR_RETURN(auto frame, frame_at(at));
    if (!frame) continue;
    offset_ = at + kFrameHead + 1 + frame->kind.size() + frame->body.size();
    expected_ = frame->sequence + 1;
    return frame;
  }
  return std::optional<Frame>();
}

}  // namespace moru::edge
