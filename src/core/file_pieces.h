// SPDX-License-Identifier: Apache-2.0
// Files that may be too large to hold, read and written in pieces.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "core/files.h"
#include "core/result.h"

namespace moru {

/// Reads a file from its beginning to its end in pieces of at most 256 KiB; an error of `sink` ends it and is returned.
/// Errors: kNotFound, kIo.
Status read_file_in_pieces(const Path& path, const std::function<Status(std::string_view)>& sink);

/// A new file that is written in pieces. It is durable once finish() has returned, and stays as it is when the object dies before.
class FileWriter {
 public:
  /// Errors: kIo, also when there is a file of that name.
  static Result<FileWriter> create(const Path& path, unsigned mode = 0644);
  FileWriter(FileWriter&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();
  Status write(std::string_view bytes);
  Status finish();

 private:
  FileWriter(Path path, int fd) : path_(std::move(path)), fd_(fd) {}
  Path path_;
  int fd_;
};

}  // namespace moru
