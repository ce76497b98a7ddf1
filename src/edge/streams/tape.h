// SPDX-License-Identifier: Apache-2.0
// A recording: what the sources of a stream emitted, in the order in which its stages took it, with the times that their clock showed.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "edge/streams/item.h"
#include "edge/streams/item_bytes.h"

namespace moru::edge {

enum class TapeKind : std::uint8_t {
  kItem = 1,
  kWatermark = 2,  ///< event time has come to item.event_time
  kEnd = 3,        ///< of the source
  kDue = 4,        ///< no source: the stages that wanted to be called by now were
};

struct TapeElement {
  TapeKind kind = TapeKind::kItem;
  std::uint32_t source = 0;  ///< index into TapeHead::sources
  TimeNs wall = 0;           ///< what the stages' clock showed meanwhile
  TimeNs steady = 0;
  Item item = {};
};

struct TapeHead {
  std::string stream;
  TimeNs wall = 0;  ///< when the stream was opened
  TimeNs steady = 0;
  std::vector<std::string> sources;  ///< as the stream file names them: NAME, or NAME.PORT
};

/// The file: "MORUTAP1", then records, u32 size | u32 crc | body, little-endian; crc is CRC-32C (RFC 3720) of size and body.
///   first body   i64 wall | i64 steady | u32 size, stream | u32 sources | each u32 size, name
///   others       u8 kind | u32 source | i64 wall | i64 steady | of an item: i64 emitted | its bytes (item_bytes.h); of a watermark: i64
/// What is written last may be lost with the machine; the rest of the file stays whole. Threads: one at a time.
class TapeWriter {
 public:
  /// Makes the file, which must not be there. `max_bytes`: it never grows beyond. Errors: those of files; kInvalidArgument.
  static Result<std::unique_ptr<TapeWriter>> create(const Path& path, const TapeHead& head, std::uint64_t max_bytes);
  ~TapeWriter();
  TapeWriter(const TapeWriter&) = delete;
  TapeWriter& operator=(const TapeWriter&) = delete;
  /// Appends it; what is older than about a second is handed to the system. Errors: kResourceExhausted when it does not fit any more, kIo;
  /// after one nothing more is written.
  Status write(const TapeElement& element);
  /// Makes all of it durable. Errors: kIo.
  Status close();
  std::uint64_t bytes() const { return written_ + buffer_.size(); }

 private:
  TapeWriter(Path path, int fd, std::uint64_t max_bytes) : path_(std::move(path)), fd_(fd), max_bytes_(max_bytes) {}
  void append_record(std::string_view body);
  Status flush();

  const Path path_;
  int fd_;
  const std::uint64_t max_bytes_;
  std::uint64_t written_ = 0;
  TimeNs flushed_ = 0;  ///< steady time of the last element that was
  std::string buffer_;
  std::string body_;
  std::optional<Error> failure_;
};

/// Reads such a file; its bytes may be any. Threads: one at a time.
class TapeReader {
 public:
  static Result<std::unique_ptr<TapeReader>> open(const Path& path);
  /// The same of an open file, whose name is for messages.
  static Result<std::unique_ptr<TapeReader>> read(std::FILE* file, std::string name);
  const TapeHead& head() const { return head_; }
  /// Null at the end, or where what follows is not whole: a crash came in the middle of it. Errors: kIo; kCorrupt for what no writer
  /// writes.
  Result<std::optional<TapeElement>> next();
  /// Bytes behind the end that are no whole record; known once next() has given null.
  std::uint64_t torn_bytes() const { return torn_bytes_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  TapeReader(std::FILE* file, std::string name) : name_(std::move(name)), file_(file) {}
  Result<bool> next_body();
  Result<bool> tear();
  Status read_head();
  Error corrupt(std::string_view what) const;

  const std::string name_;
  std::unique_ptr<std::FILE, Close> file_;
  TapeHead head_;
  std::uint64_t at_ = 0;  ///< where the record at hand begins
  std::uint64_t torn_bytes_ = 0;
  std::string body_;
  ItemReader items_;
};

}  // namespace moru::edge
