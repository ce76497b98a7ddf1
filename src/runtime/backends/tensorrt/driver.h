// SPDX-License-Identifier: Apache-2.0
// NVIDIA's driver, asked before anything of TensorRT is loaded: without one TensorRT's own calls give pointers that point nowhere.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace moru::runtime::tensorrt {

/// The names of the GPUs, in the driver's order; at least one. Errors: kUnavailable: no driver, one that does not start, or no GPU.
Result<std::vector<std::string>> find_gpus(const char* driver = "libcuda.so.1");

}  // namespace moru::runtime::tensorrt
