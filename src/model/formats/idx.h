// SPDX-License-Identifier: Apache-2.0
// IDX, the format of the MNIST family: big-endian header (0, 0, type, rank, extents), then raw elements.
// Files that end in .gz are decompressed.
#pragma once

#include "core/files.h"
#include "core/result.h"
#include "model/tensor/tensor.h"

namespace moru::model {

/// Reads an untrusted IDX file of unsigned bytes: images [N, H, W] or labels [N].
/// Errors: kNotFound, kCorrupt with the found and the expected size (a file cut short), kUnsupported (element type).
Result<Tensor> load_idx(const Path& path);

}  // namespace moru::model
