// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "core/files.h"
#include "core/result.h"

namespace moru {

/// Only one process at a time holds the lock of a file, which is made for that and stays. Released with the object, and by the
/// kernel when the process dies.
class FileLock {
 public:
  /// Does not wait. Errors: kUnavailable when another holds it, kIo.
  static Result<FileLock> take(const Path& path);
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace moru
