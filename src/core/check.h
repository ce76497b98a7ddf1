// SPDX-License-Identifier: Apache-2.0
// Invariants of our own. Never for data from outside: that is a Result.
#pragma once

namespace moru::detail {
[[noreturn]] void check_failed(const char* file, int line, const char* condition) noexcept;
}  // namespace moru::detail

/// Ends the process when `condition` is false: going on would corrupt something.
#define MORU_CHECK(condition)                                                       \
  do {                                                                              \
    if (!(condition)) ::moru::detail::check_failed(__FILE__, __LINE__, #condition); \
  } while (false)

/// The same in builds without NDEBUG; nothing otherwise.
#ifdef NDEBUG
#define MORU_DCHECK(condition) \
  do {                         \
  } while (false && (condition))
#else
#define MORU_DCHECK(condition) MORU_CHECK(condition)
#endif
