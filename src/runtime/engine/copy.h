// SPDX-License-Identifier: Apache-2.0
// Moving elements: layouts, transposes, slices, parts of a concatenation.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "model/tensor/tensor.h"
#include "runtime/engine/step.h"
#include "runtime/kernels/kernels.h"

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

/// Images of 2 to 4 planes of floats, one behind the other.
struct Planes {
  std::size_t batch = 0;
  int channels = 0;
  std::size_t places = 0;
};
/// To channels last.
std::unique_ptr<Step> make_interleave(BufferId from, BufferId to, const Planes& planes, const kernels::Kernels& kernels);

}  // namespace moru::runtime::engine
