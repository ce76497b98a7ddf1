// SPDX-License-Identifier: Apache-2.0
// LiteRT 2.1.4 tells what went wrong on stderr and nowhere else: its statuses are bare numbers, and neither the functions of its
// logger nor a level that it obeys are in its interface.
#pragma once

#include <string>

#include "core/result.h"

namespace moru::runtime::litert {

/// Gives the library a stderr of its own: the one slot that holds the address of the C library's `stderr` is pointed at a stream of
/// ours. The rest of the process keeps its stderr. `handle` is from dlopen(). Errors: kUnavailable.
Status keep_words(void* handle);

/// Forgets what was printed on this thread so far.
void forget_words();

/// What the library called errors on this thread since then, joined by "; " and shortened; empty for none.
std::string take_words();

}  // namespace moru::runtime::litert
