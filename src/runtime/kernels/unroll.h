// SPDX-License-Identifier: Apache-2.0
// Loops that are unrolled before the compiler looks at what is in them: only so does it keep an array of sums in registers.
#pragma once

#include <utility>

namespace moru::kernels {
namespace {

template <int kValue>
struct Index {
  constexpr operator int() const { return kValue; }  // NOLINT(google-explicit-constructor): stands for the number
};

template <class Body, int... kAt>
[[gnu::always_inline]] inline void unroll_at([[maybe_unused]] Body body, std::integer_sequence<int, kAt...> /*at*/) {
  (body(Index<kAt>{}), ...);
}

/// body(0) ... body(kCount - 1), its argument a constant. The body must be always_inline, too.
template <int kCount, class Body>
[[gnu::always_inline]] inline void unroll(Body body) {
  unroll_at(body, std::make_integer_sequence<int, kCount>{});
}

}  // namespace
}  // namespace moru::kernels

/// A body for unroll().
#define MORU_BODY(...) [&](__VA_ARGS__) __attribute__((always_inline))
