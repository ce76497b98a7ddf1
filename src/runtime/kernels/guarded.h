// SPDX-License-Identifier: Apache-2.0
// Memory for the tests of kernels: right behind it is a page that nobody may touch.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <span>

#include "core/check.h"
#include "runtime/kernels/common.h"

namespace moru::kernels {

/// `count` elements, and `slack` readable bytes behind them. Zeros at first, but for the slack.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t count, std::size_t slack = 0) : count_(count) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t bytes = count * sizeof(T) + slack;
    size_ = (bytes + page - 1) / page * page + page;
    void* map = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MORU_CHECK(map != MAP_FAILED && mprotect(static_cast<std::byte*>(map) + size_ - page, page, PROT_NONE) == 0);
    map_ = static_cast<std::byte*>(map);
    data_ = reinterpret_cast<T*>(map_ + size_ - page - bytes);
    std::memset(reinterpret_cast<std::byte*>(data_ + count), 0xFF, slack);
  }
  ~Guarded() { munmap(map_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() const { return data_; }
  std::span<T> all() const { return {data_, count_}; }
  T& operator[](std::size_t i) const { return data_[i]; }

 private:
  std::size_t count_;
  std::size_t size_ = 0;
  std::byte* map_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace moru::kernels
