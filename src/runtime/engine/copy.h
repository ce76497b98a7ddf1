// SPDX-License-Identifier: Apache-2.0
// Moving elements: layouts, transposes, slices, parts of a concatenation.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "model/tensor/tensor.h"
#include "runtime/engine/step.h"

namespace moru::runtime::engine {

/// Elements [i, j, ...] of `dims` from from_offset + sum of i * from_strides to to_offset + sum of i * to_strides; all in elements.
struct Copy {
  model::Dims dims;
  model::Dims from_strides;
  model::Dims to_strides;
  std::int64_t from_offset = 0;
  std::int64_t to_offset = 0;
};

/// Strides of dense rows.
model::Dims dense_strides(std::span<const std::int64_t> dims);

/// element_bytes is 1, 2, 4 or 8. The buffers do not overlap.
std::unique_ptr<Step> make_copy(BufferId from, BufferId to, const Copy& copy, std::size_t element_bytes);

}  // namespace moru::runtime::engine
