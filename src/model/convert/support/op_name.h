// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace moru::model::convert {

/// A name as the argument of a template, so that conversions that differ in a name alone are functions of one template.
template <std::size_t kSize>
struct OpName {
  constexpr OpName(const char (&text)[kSize]) {  // NOLINT(google-explicit-constructor): a template argument
    for (std::size_t i = 0; i < kSize; ++i) data[i] = text[i];
  }
  char data[kSize] = {};
};

}  // namespace moru::model::convert
