// SPDX-License-Identifier: Apache-2.0
// NVIDIA's driver, asked before anything of TensorRT is loaded: without one TensorRT's own calls give pointers that point nowhere.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace moru::runtime::tensorrt {

struct Gpu {
  std::string name;
  int major = 0;  ///< of its compute capability; 0: not told
  int minor = 0;
};

/// The GPUs, in the driver's order; at least one. Errors: kUnavailable: no driver, one that does not start, or no GPU.
Result<std::vector<Gpu>> find_gpus(const char* driver = "libcuda.so.1");

/// "GPU A (compute capability 8.9)"; of one that NVIDIA does not list for TensorRT for RTX ("Support Matrix" of TensorRT-RTX 1.5: GeForce
/// and RTX from Turing on, neither data centres nor Jetson) it says that, and what to try.
std::string describe(const Gpu& gpu);

}  // namespace moru::runtime::tensorrt
