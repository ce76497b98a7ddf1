// SPDX-License-Identifier: Apache-2.0
// The files of an outbox: how a record lies in them and how they are read back. Layout in README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/descriptor.h"
#include "core/files.h"
#include "core/result.h"

namespace moru::edge {

/// open(2) with O_CLOEXEC.
Result<std::shared_ptr<Descriptor>> open_descriptor(const Path& path, int flags, unsigned mode = 0600);
/// pwrite(2) of everything; `path` for the message.
Status write_at(const Descriptor& file, std::string_view bytes, std::uint64_t offset, const Path& path);

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

void put_u32(std::string& out, std::uint32_t value);
void put_u64(std::string& out, std::uint64_t value);
std::uint32_t get_u32(std::string_view bytes, std::size_t at);
std::uint64_t get_u64(std::string_view bytes, std::size_t at);

inline constexpr std::size_t kFrameHead = 16;  ///< u32 payload size, u32 CRC-32C of all the rest, u64 sequence
inline constexpr std::size_t kMaxKind = 64;

/// One record as it lies in a segment: head, u8 kind size, kind, body.
std::string encode_frame(std::uint64_t sequence, std::string_view kind, std::string_view body);

struct Frame {
  std::uint64_t sequence = 0;
  std::string kind;
  std::string body;
};

/// "00000000000000000042.log"
std::string segment_name(std::uint64_t first);
/// The first sequence of a segment's name; nothing for any other file.
std::optional<std::uint64_t> parse_segment_name(std::string_view name);

/// Reads the frames of a segment one after another. Bytes that are no frame are stepped over until the next whole one,
/// so that one bad sector loses only what lay in it. Borrows the file. Threads: one owner.
class SegmentScanner {
 public:
  /// `size`: how much of the file counts; `expected`: the lowest sequence that may come.
  SegmentScanner(const Descriptor& file, Path path, std::uint64_t size, std::uint64_t offset, std::uint64_t expected);
  /// The next whole frame, or nothing at the end.
  Result<std::optional<Frame>> next();
  /// Where the last frame ended that next() gave.
  std::uint64_t offset() const { return offset_; }

 private:
  /// The bytes [at, at + size) of the file, or fewer at its end.
  Result<std::string_view> bytes(std::uint64_t at, std::size_t size);
  Result<std::optional<Frame>> frame_at(std::uint64_t at);

  const Descriptor& file_;
  Path path_;
  std::uint64_t size_;
  std::uint64_t offset_;
  std::uint64_t expected_;
  std::string window_;
  std::uint64_t window_at_ = 0;
};

}  // namespace moru::edge
