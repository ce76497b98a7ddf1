// SPDX-License-Identifier: Apache-2.0
// Wakes a thread that polls descriptors.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace moru::wire {

/// Threads: ring() from any thread, drain() from the one that polls.
class Wake {
 public:
  Wake() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  ~Wake() {
    if (fd_ >= 0) ::close(fd_);
  }
  /// -1 when the process has no descriptor left: poll() leaves it out, and nobody is woken before the time is over.
  int fd() const { return fd_; }
  void ring() const {
    const std::uint64_t one = 1;
    static_cast<void>(::write(fd_, &one, sizeof one) == sizeof one);
  }
  void drain() const {
    std::uint64_t count = 0;
    static_cast<void>(::read(fd_, &count, sizeof count) == sizeof count);
  }

 private:
  int fd_;
};

}  // namespace moru::wire
