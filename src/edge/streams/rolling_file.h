// SPDX-License-Identifier: Apache-2.0
// A file of lines that grows at its end and is put away, whole, when it is large or old enough.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "core/descriptor.h"
#include "core/files.h"
#include "core/result.h"

namespace moru::edge {

/// `a/x.csv` is being written; `a/x.000001.csv`, `a/x.000002.csv`, ... have been put away by one rename each. One writer: the file is
/// locked. A path that is no regular file (a pipe, a terminal) is only written to. Threads: one at a time.
class RollingFile {
 public:
  struct Options {
    Path path;
    std::int64_t keep = 0;  ///< files that were put away; the oldest beyond it are deleted; 0: all
    bool sync = true;       ///< fsync before a file is put away or closed
  };
  explicit RollingFile(Options options) : options_(std::move(options)) {}

  /// Opens or makes it. What follows the last line's end was being written when the power went, and is cut off. `fresh`: begins empty.
  /// Errors: kNotFound, kIo; kUnavailable when another process writes to it.
  Status open(bool fresh);
  bool is_open() const { return static_cast<bool>(fd_); }
  std::uint64_t size_bytes() const { return size_; }
  /// The first or the last line of what was there at open(); empty when there is none or it is longer than 64 KiB.
  const std::string& first_line() const { return first_line_; }
  const std::string& last_line() const { return last_line_; }
  /// Wall clock, when it was last written to before open().
  std::int64_t modified() const { return modified_; }

  /// Writes `lines`, all or none of them.
  Status append(std::string_view lines);
  /// Makes durable what has been appended. After an error nobody knows what is on the disk: the file is put away and closed.
  Status sync();
  /// Puts the file away, under the next number, and begins a new one.
  Status roll();
  Status close();
  /// Whether somebody has deleted the file under us.
  bool is_gone() const;

 private:
  Status open_file();
  Status mend();
  Status list_numbers();
  Status put_away();
  void cut_back();
  Path numbered(std::uint64_t number) const;

  const Options options_;
  Descriptor fd_;
  bool regular_ = true;
  std::uint64_t size_ = 0;  ///< of whole lines
  ino_t torn_ = 0;          ///< the file in which a failed append() has left something behind size_; 0: none
  std::int64_t modified_ = 0;
  std::string first_line_;
  std::string last_line_;
  std::deque<std::uint64_t> numbers_;  ///< of files that are put away, rising
};

}  // namespace moru::edge
