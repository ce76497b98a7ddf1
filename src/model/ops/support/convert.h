// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/result.h"
#include "model/tensor/tensor.h"

namespace moru::model::ops {

/// The elements of `from` as another type, of the same shape. Floats are rounded to nearest; to integers they are cut towards 0,
/// what does not fit becomes the nearest that does, and NaN becomes 0. Integers wrap around. Anything but 0 is true. Floats of 8
/// bits saturate when asked. Strings are written as short as they read back, and read as C does. Errors: kUnsupported (complex
/// numbers), kInvalidArgument (a string that is no number).
Result<Tensor> convert(const Tensor& from, DType to, bool saturate = true);

}  // namespace moru::model::ops
