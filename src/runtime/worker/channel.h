// SPDX-License-Identifier: Apache-2.0
// One JSON value a line, both ways, over a socket: what parent and worker say to each other.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "core/json_fwd.h"
#include "core/result.h"

namespace moru::runtime {

/// A descriptor that is closed with its owner; -1: none.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd() { reset(); }
  int get() const { return fd_; }
  void reset();

 private:
  int fd_ = -1;
};

/// Writes the value and a line's end. kUnavailable when the other end is closed.
Status send_line(int fd, const Json& value);

/// Cuts what is read into lines. The other end is not trusted: a line that does not end is refused at 64 MiB.
class LineReader {
 public:
  /// Reads once (it waits if nothing is there). False at the end of the stream. Errors: kIo, kResourceExhausted.
  Result<bool> fill(int fd);
  /// Takes the next whole line into `line`; false when there is none yet.
  bool next(std::string* line);

 private:
  std::string buffer_;
};

/// {"error": {"code", "message"}}, and back. An answer without "error" is no error; of an unknown code it is kInternal.
Json error_answer(const Error& error);
Status status_of_answer(const Json& answer);

}  // namespace moru::runtime
