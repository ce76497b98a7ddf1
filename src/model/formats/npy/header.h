// SPDX-License-Identifier: Apache-2.0
// The header of a .npy file: a Python dictionary of three entries.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.h"
#include "model/tensor/tensor.h"

namespace moru::model::npy {

struct Header {
  DType dtype = DType::kFloat32;
  std::size_t size = 4;     ///< bytes of an element
  std::size_t swapped = 4;  ///< bytes that change places when the file is big-endian: half of a complex number
  bool big_endian = false;
  bool fortran_order = false;
  Dims dims;
  std::size_t data_offset = 0;  ///< in the file
};

/// Reads magic, version and dictionary of an untrusted file; nothing is allocated for the shape. Errors: kCorrupt, kUnsupported.
Result<Header> read_header(std::string_view file);

/// Magic, version 1.0 and dictionary, padded to a multiple of 64. kUnsupported for types that NumPy does not have.
Result<std::string> write_header(const Tensor& tensor);

}  // namespace moru::model::npy
