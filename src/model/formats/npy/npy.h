// SPDX-License-Identifier: Apache-2.0
// NPY and NPZ, the files of NumPy's arrays (NEP 1 and numpy.lib.format): one tensor, or a zip of named ones.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "model/tensor/tensor.h"

namespace moru::model {

struct NpyOptions {
  /// Of a file, and of everything that is decompressed out of it together.
  std::uint64_t max_bytes = std::uint64_t{1} << 30U;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// Reads an untrusted .npy: format versions 1.0 to 3.0, both byte orders, C and Fortran order; the tensor is row-major and
/// little-endian. `where` begins each error. Errors: kCorrupt (damaged, cut short), kUnsupported (objects, strings, records).
Result<Tensor> read_npy(std::string_view bytes, std::string_view where);
Result<Tensor> load_npy(const Path& path, const NpyOptions& options = {});

/// Version 1.0, little-endian, C order; the data begin at a multiple of 64, as NumPy has it. Deterministic. kUnsupported for
/// element types that NumPy does not have (bfloat16, int4).
Result<std::string> write_npy(const Tensor& tensor);
Status save_npy(const Tensor& tensor, const Path& path);

/// Reads an untrusted .npz, in the order of its directory; names are without ".npy". Errors: as read_npy() and read_zip().
Result<std::vector<NamedTensor>> read_npz(std::string_view bytes, std::string_view where, const NpyOptions& options = {});
Result<std::vector<NamedTensor>> load_npz(const Path& path, const NpyOptions& options = {});

/// `compress` deflates, as numpy.savez_compressed does. Deterministic. kInvalidArgument for names that are empty or there twice.
Result<std::string> write_npz(std::span<const NamedTensor> tensors, bool compress = false);
Status save_npz(std::span<const NamedTensor> tensors, const Path& path, bool compress = false);

}  // namespace moru::model
